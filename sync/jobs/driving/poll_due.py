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
from sync.jobs.syncing.sync_calendar import SyncOutcome, sync_claim
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
    """Hands claimed calendars to threads, and claims more when they run out.

    `ask_again_seconds`: while a thread is still busy the idle ones ask this often what has become due meanwhile, so
    that one slow calendar holds nobody up. None: once nothing is due, they are done.
    """

    def __init__(
        self, services: Services, threads: int, may_claim: Callable[[], bool], ask_again_seconds: float | None
    ) -> None:
        self._services = services
        self._limit = threads * CLAIMS_PER_THREAD
        self._may_claim = may_claim
        self._waiting: deque[Claim] = deque()
        self._claimed_at = 0.0
        self._ask_again_seconds = ask_again_seconds
        self._changed = threading.Condition()
        self._busy = 0
        self._dry = False

    def next(self) -> Claim | None:
        with self._changed:
            while True:
                while claim := self._first():
                    # Behind slow calendars a claim may have waited for long: it goes to its thread with its lease
                    # renewed, or not at all.
                    waited = time.monotonic() - self._claimed_at
                    if waited < LEASE_SECONDS / 4 or self._services.store.claims.extend_lease(claim, LEASE_SECONDS):
                        self._busy += 1
                        return claim
                if not self._ask_again_seconds or not self._busy or not self._may_claim():
                    return None
                self._changed.wait(self._ask_again_seconds)
                self._dry = False

    def done(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _first(self) -> Claim | None:
        if not self._waiting and not self._dry and self._may_claim():
            self._claimed_at = time.monotonic()
            claimed = self._services.store.claims.claim_due(
                self._services.worker_name, limit=self._limit, lease_seconds=LEASE_SECONDS
            )
            self._waiting.extend(claimed)
            self._dry = len(claimed) < self._limit
        return self._waiting.popleft() if self._waiting and self._may_claim() else None

    def give_back(self) -> None:
        with self._changed:
            while self._waiting:
                self._services.store.claims.release(self._waiting.popleft())


def poll_due(
    services: Services,
    *,
    budget_seconds: float,
    should_stop: Callable[[], bool] = lambda: False,
    count: bool = True,
    ask_again_seconds: float | None = None,
) -> Sweep:
    """Syncs due calendars until none is left, the budget is used, or `should_stop`. `count` False: leave the figures
    at 0. `ask_again_seconds`: how often idle threads ask what is due while others still work (None: they end).

    Raises StoreUnavailable if the store cannot be asked what is due.
    """
    deadline = time.monotonic() + budget_seconds
    threads = services.settings.sync_threads

    def out_of_time() -> bool:
        return should_stop() or time.monotonic() > deadline

    def may_claim() -> bool:
        return not should_stop() and time.monotonic() < deadline - min(LAST_SECONDS, budget_seconds / 2)

    claims = _Claims(services, threads, may_claim, ask_again_seconds)
    try:
        outcomes = _sync_all(services, claims, threads, out_of_time)
    finally:
        claims.give_back()
    remaining, vouched_for = services.store.claims.sweep_state(services.settings.poll_stale_hours) if count else (0, 0)
    return Sweep(tuple(outcomes), remaining, vouched_for)


def _sync_all(services: Services, claims: _Claims, threads: int, out_of_time: Callable[[], bool]) -> list[SyncOutcome]:
    """In parallel; the calling thread takes part. A sweep that finds nothing starts no thread."""
    first = claims.next()
    if first is None:
        return []
    with ThreadPoolExecutor(threads, thread_name_prefix="sweep") as pool:
        others = [pool.submit(_drain, services, claims, None, out_of_time) for _ in range(threads - 1)]
        outcomes = _drain(services, claims, first, out_of_time)
        for other in others:
            outcomes.extend(other.result())
    return outcomes


def _drain(
    services: Services, claims: _Claims, claim: Claim | None, out_of_time: Callable[[], bool]
) -> list[SyncOutcome]:
    """One thread's share: `claim` if it has one already, and whatever is claimed until there is no more."""
    outcomes = []
    while claim := claim or claims.next():
        try:
            outcomes.append(sync_claim(services, claim, should_stop=out_of_time))
        finally:
            claims.done()
        claim = None
    return outcomes
