"""What one call of a cron endpoint does within its time budget: sync what is due, then move horizons; or renew watches,
then drop what is old.

Called by the web.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.errors import SyncError
from sync.jobs.accounts.disconnect import finish_disconnects
from sync.jobs.accounts.mail_users import mail_users
from sync.jobs.driving.duties import PRICE_SECONDS
from sync.jobs.driving.poll_due import Sweep, poll_due
from sync.jobs.events.courier import deliver_due
from sync.jobs.operations.follow_budget import follow_polling_budget
from sync.jobs.operations.keep_overview import keep_overview
from sync.jobs.operations.retention import drop_old
from sync.jobs.operations.watch_over import watch_over_in_turn
from sync.jobs.services import Services
from sync.jobs.syncing.hide_private import hide_private
from sync.jobs.syncing.roll_horizon import roll_horizons
from sync.jobs.syncing.sync_calendar import SyncOutcome
from sync.jobs.watching.renew_watches import Renewal, renew_watches

# A process that has driven for so long drives on; one that a cron woke is stopped by its platform sooner.
STEADY_SECONDS = 600.0
# The documented schedule. A run after a longer pause says nothing of the next.
LONGEST_SECONDS = 6 * 3600.0
# A run may come late: GitHub's do.
LATE_SHARE = 1.1


@dataclass(frozen=True, slots=True)
class CronRun:
    """`failed`: codes of the parts that did not come through; the sweep's own outcomes are in it."""

    sweep: Sweep
    failed: tuple[str, ...]


def polling_cron(
    services: Services,
    should_stop: Callable[[], bool] = lambda: False,
    late: Callable[[SyncOutcome], None] = lambda _outcome: None,
) -> CronRun:
    """Horizons get what the sweep leaves of the budget: they can wait, a due calendar cannot."""
    budget = services.settings.cron_budget_seconds
    deadline = time.monotonic() + budget
    ahead = look_ahead(services)
    sweep = poll_due(services, budget_seconds=budget, should_stop=should_stop, late=late, ahead_seconds=ahead)

    def out_of_time() -> bool:
        return should_stop() or time.monotonic() > deadline

    parts: list[Callable[[], object]] = [
        lambda: _follow_budget(services),
        lambda: hide_private(services, out_of_time),
        lambda: roll_horizons(services, budget_seconds=max(0.0, deadline - time.monotonic()), should_stop=should_stop),
        lambda: mail_users(services, out_of_time),
        lambda: deliver_due(services, budget_seconds=max(0.0, deadline - time.monotonic()), should_stop=should_stop),
        lambda: watch_over_in_turn(services),
        lambda: keep_overview(services, budget_seconds=max(0.0, deadline - time.monotonic()), should_stop=should_stop),
    ]
    failed = []
    for part in parts:
        try:
            part()
        except SyncError as failure:
            # The sweep's outcomes are to be answered and followed up; this part waits for the next call.
            services.log.warning("cron_cut_short", error_code=failure.code)
            failed.append(failure.code)
    return CronRun(sweep, tuple(failed))


def _follow_budget(services: Services) -> None:
    """As often as processes that drive by themselves do it: where none does, what is spent and forecast is said
    here."""
    if services.store.claims.take_job("follow_polling_budget", PRICE_SECONDS * 0.9, services.worker_name):
        follow_polling_budget(services)


def look_ahead(services: Services) -> float:
    """Seconds to the next run of a cron that nobody relieves, as the last two runs tell: what becomes due before it is
    looked at now, else the bound of each calendar would be overrun by up to that time. 0.0 where processes drive by
    themselves.

    Raises StoreUnavailable."""
    driven = services.store.claims.since_job("drive")
    # Calls of one run follow each other within minutes.
    interval = services.store.claims.cron_interval("polling_cron", STEADY_SECONDS, services.worker_name)
    if interval is None or (driven is not None and driven < STEADY_SECONDS):
        return 0.0
    return min(interval, LONGEST_SECONDS) * LATE_SHARE


def renewal_cron(services: Services, should_stop: Callable[[], bool] = lambda: False) -> Renewal:
    """What is old gets what the renewals leave of the budget."""
    deadline = time.monotonic() + services.settings.cron_budget_seconds
    finish_disconnects(services)
    renewal = renew_watches(services, budget_seconds=services.settings.cron_budget_seconds, should_stop=should_stop)
    try:
        drop_old(services, budget_seconds=max(0.0, deadline - time.monotonic()), should_stop=should_stop)
    except SyncError as failure:
        services.log.warning("cron_cut_short", error_code=failure.code)
    return renewal
