"""What one call of the polling cron does: sync what is due, then move horizons, within one time budget.

Called by the web.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sync.errors import SyncError
from sync.jobs.accounts.mail_users import mail_users
from sync.jobs.driving.poll_due import Sweep, poll_due
from sync.jobs.services import Services
from sync.jobs.syncing.roll_horizon import roll_horizons


def polling_cron(services: Services, should_stop: Callable[[], bool] = lambda: False) -> Sweep:
    """Horizons get what the sweep leaves of the budget: they can wait, a due calendar cannot."""
    deadline = time.monotonic() + services.settings.cron_budget_seconds
    sweep = poll_due(services, budget_seconds=services.settings.cron_budget_seconds, should_stop=should_stop)
    try:
        roll_horizons(services, budget_seconds=max(0.0, deadline - time.monotonic()), should_stop=should_stop)
        mail_users(services, lambda: should_stop() or time.monotonic() > deadline)
    except SyncError as failure:
        # The sweep is done and its outcomes are to be answered and followed up; these wait for the next call.
        services.log.warning("cron_cut_short", error_code=failure.code)
    return sweep
