"""What fell due while nobody looked is worked off evenly. Called by the driver.

An outage (of this service, of the store, of Google) leaves a backlog: polls of hours that would all be made in the same
minutes, and come back together ever after. Those that were only waiting for their own time are put off, spread over the
time that their number needs within the budget, at most an hour. Whatever somebody waits for is not: notifications,
first listings, looks before a meeting, probes, retries.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sync.core.polling.look_plan import LONGEST_CATCH_UP_SECONDS, catch_up_seconds
from sync.jobs.services import Services

# A process that did not look for so long, or has just begun, may find what an outage left.
OUTAGE_SECONDS = 60.0
# Later than any sweep in good health.
LATE_SECONDS = 300.0
SPREAD_AT_ONCE = 2000


class AfterOutage:
    """One per driver, in its thread. `later`: runs something beside it."""

    def __init__(self, services: Services, later: Callable[[Callable[[], None]], object]) -> None:
        self._services = services
        self._later = later
        self._looked_at: float | None = None

    def looked(self) -> None:
        """The store was asked for all that is due."""
        now = time.monotonic()
        if self._looked_at is None or now - self._looked_at > OUTAGE_SECONDS:
            self._later(lambda: spread_backlog(self._services))
        self._looked_at = now


def spread_backlog(services: Services) -> None:
    """Puts late polls off, evenly. Raises StoreFailure."""
    per_minute = services.settings.poll_budget_per_day / 1440.0
    # More than that takes the longest time, however many there are.
    enough = int(per_minute * LONGEST_CATCH_UP_SECONDS / 60.0) + 1
    backlog = services.store.polling.count_late(LATE_SECONDS, limit=enough)
    seconds = catch_up_seconds(backlog, per_minute)
    if not seconds:
        return
    spread, put_off = 0, 1
    while put_off:
        put_off = services.store.polling.spread_late(LATE_SECONDS, seconds, limit=SPREAD_AT_ONCE)
        spread += put_off
    services.log.warning("backlog_spread", calendars=spread, seconds=round(seconds))
