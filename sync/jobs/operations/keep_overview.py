"""Keeps the figures that operators look at: folds what syncs have logged, and counts the calendars. Called by the
duties and by the polling cron."""

from __future__ import annotations

import time
from collections.abc import Callable

from sync.jobs.services import Services

# Times five minutes: a day of an outage is caught up with by a dozen calls.
FOLDED_AT_ONCE = 24
# Calendars of one step: a fraction of a second in Postgres.
COUNTED_AT_ONCE = 20_000


def keep_overview(
    services: Services, *, budget_seconds: float, should_stop: Callable[[], bool] = lambda: False
) -> None:
    """Until all is folded and counted, or the budget is used up: the next call goes on there. Raises StoreFailure."""
    deadline = time.monotonic() + budget_seconds
    store = services.store.overview

    def is_over() -> bool:
        return should_stop() or time.monotonic() >= deadline

    while not is_over() and store.fold(FOLDED_AT_ONCE) == FOLDED_AT_ONCE:
        pass
    while not is_over() and store.count(COUNTED_AT_ONCE) == 0.0:
        pass
