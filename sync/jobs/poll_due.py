"""The sweep: claims what is due, notified calendars first, and syncs it in parallel threads within a time budget.

Called by the cron endpoint (budget: a request's) and by the worker (again and again). Starts nothing that it does
not end: when it returns, none of its threads holds a claim.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sync.jobs.services import LEASE_SECONDS, Services
from sync.jobs.sync_calendar import SyncOutcome, sync_claim
from sync.model import Claim

# Claimed at a time, per thread: enough that claiming is a small share of the calls, few enough that a claimed calendar
# waits seconds, not its lease.
CLAIMS_PER_THREAD = 5
# No new claim within this last part of the budget: an ordinary sync takes less than a second.
LAST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """`remaining`: calendars still due (counted to 1000). `vouched_for`: left alone, a recent notification vouches
    for them."""

    outcomes: tuple[SyncOutcome, ...]
    remaining: int
    vouched_for: int


class _Claims:
    """Hands claimed calendars to threads, and claims more when they run out."""

    def __init__(self, services: Services, threads: int, may_claim: Callable[[], bool]) -> None:
        self._services = services
        self._limit = threads * CLAIMS_PER_THREAD
        self._may_claim = may_claim
        self._waiting: deque[Claim] = deque()
        self._lock = threading.Lock()
        self._dry = False

    def next(self) -> Claim | None:
        with self._lock:
            if not self._waiting and not self._dry and self._may_claim():
                claimed = self._services.store.claim_due_calendars(
                    self._services.worker_name, limit=self._limit, lease_seconds=LEASE_SECONDS
                )
                self._waiting.extend(claimed)
                self._dry = len(claimed) < self._limit
            return self._waiting.popleft() if self._waiting and self._may_claim() else None

    def give_back(self) -> None:
        with self._lock:
            while self._waiting:
                self._services.store.release_calendar(self._waiting.popleft())


def poll_due(
    services: Services, *, budget_seconds: float, should_stop: Callable[[], bool] = lambda: False, count: bool = True
) -> Sweep:
    """Syncs due calendars until none is left, the budget is used, or `should_stop`. `count` False: leave the figures
    at 0.

    Raises StoreUnavailable if the store cannot be asked what is due.
    """
    deadline = time.monotonic() + budget_seconds
    threads = services.settings.sync_threads

    def out_of_time() -> bool:
        return should_stop() or time.monotonic() > deadline

    def may_claim() -> bool:
        return not should_stop() and time.monotonic() < deadline - min(LAST_SECONDS, budget_seconds / 2)

    claims = _Claims(services, threads, may_claim)

    def drain() -> list[SyncOutcome]:
        outcomes = []
        while claim := claims.next():
            outcomes.append(sync_claim(services, claim, should_stop=out_of_time))
        return outcomes

    try:
        first = claims.next()
        if first is None:
            outcomes = []
        else:
            with ThreadPoolExecutor(threads, thread_name_prefix="sweep") as pool:
                others = [pool.submit(drain) for _ in range(threads - 1)]
                outcomes = [sync_claim(services, first, should_stop=out_of_time), *drain()]
                for other in others:
                    outcomes.extend(other.result())
    finally:
        claims.give_back()
    remaining, vouched_for = services.store.sweep_state(services.settings.poll_stale_hours) if count else (0, 0)
    return Sweep(tuple(outcomes), remaining, vouched_for)
