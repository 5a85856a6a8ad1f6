"""What one call of a cron endpoint does within its time budget: sync what is due, then move horizons; or renew watches,
then drop what is old.

Called by the web.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sync.errors import SyncError
from sync.jobs.accounts.disconnect import finish_disconnects
from sync.jobs.accounts.mail_users import mail_users
from sync.jobs.driving.poll_due import Sweep, poll_due
from sync.jobs.operations.retention import drop_old
from sync.jobs.services import Services
from sync.jobs.syncing.hide_private import hide_private
from sync.jobs.syncing.roll_horizon import roll_horizons
from sync.jobs.syncing.sync_calendar import SyncOutcome
from sync.jobs.watching.renew_watches import Renewal, renew_watches


def polling_cron(
    services: Services,
    should_stop: Callable[[], bool] = lambda: False,
    late: Callable[[SyncOutcome], None] = lambda _outcome: None,
) -> Sweep:
    """Horizons get what the sweep leaves of the budget: they can wait, a due calendar cannot."""
    deadline = time.monotonic() + services.settings.cron_budget_seconds
    sweep = poll_due(services, budget_seconds=services.settings.cron_budget_seconds, should_stop=should_stop, late=late)
    try:
        hide_private(services, lambda: should_stop() or time.monotonic() > deadline)
        roll_horizons(services, budget_seconds=max(0.0, deadline - time.monotonic()), should_stop=should_stop)
        mail_users(services, lambda: should_stop() or time.monotonic() > deadline)
    except SyncError as failure:
        # The sweep is done and its outcomes are to be answered and followed up; these wait for the next call.
        services.log.warning("cron_cut_short", error_code=failure.code)
    return sweep


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
