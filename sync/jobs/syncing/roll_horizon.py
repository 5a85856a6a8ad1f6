"""Moves horizons forward: claims the calendars that something enters and enters it, in parallel threads within a time
budget. Called by the cron and by the duties.

A calendar that nothing enters costs nothing. The others are leased like a sync, so that no sync of the same calendar
runs meanwhile. Past occurrences stay as history.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sync.core.meetings.parts import horizon_at
from sync.errors import Stopping, StoreFailure, SyncError
from sync.jobs.leases import LEASE_SECONDS
from sync.jobs.services import Services
from sync.jobs.syncing.enter_horizon import enter_horizon
from sync.jobs.syncing.sync_calendar import sync_claim
from sync.model import RollClaim, SyncPart
from sync.telemetry.origin import follower

# What enters may wait this long, so that it is written together: the far end of two months is nobody's hurry, and each
# roll of a calendar costs three calls to the store.
LAG_SECONDS = 6 * 3600.0
# Claimed at a time, per thread: claimed calendars wait seconds, far less than their lease.
CLAIMS_PER_THREAD = 10
# Nothing here waits for Google: more would only stand in each other's way.
MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Roll:
    """`rolled`: calendars that something was to enter; `entered`: meetings written; `failed`: tried again by a later
    run."""

    rolled: int = 0
    entered: int = 0
    failed: int = 0


def roll_horizons(
    services: Services, *, budget_seconds: float, should_stop: Callable[[], bool] = lambda: False
) -> Roll:
    """Enters what is to enter, within the budget. Gives back whatever it claimed and did not finish.

    Raises StoreUnavailable if the store cannot be asked.
    """
    deadline = time.monotonic() + budget_seconds
    if not services.in_force.is_workable:
        return Roll()
    rolling = _Rolling(services, lambda: should_stop() or time.monotonic() >= deadline)
    try:
        first = rolling.next()
        if first is not None:
            threads = rolling.threads
            with ThreadPoolExecutor(threads, thread_name_prefix="roll", initializer=follower()) as pool:
                others = [pool.submit(rolling.drain) for _ in range(threads - 1)]
                rolling.drain(first)
                for other in others:
                    other.result()
    finally:
        rolling.give_back()
    return rolling.result


class _Rolling:
    """Hands claimed calendars to threads, claims more when they run out, and counts."""

    def __init__(self, services: Services, should_stop: Callable[[], bool]) -> None:
        self._services = services
        self._should_stop = should_stop
        self._in_force = services.in_force.now()
        self._until = horizon_at(services.clock(), 0, self._in_force.meaning.horizon_future_days).end
        self.threads = min(MOST_THREADS, services.settings.sync_threads)
        self._limit = self.threads * CLAIMS_PER_THREAD
        self._lock = threading.Lock()
        self._waiting: deque[RollClaim] = deque()
        self._unfinished: list[RollClaim] = []
        self._is_dry = False
        self.result = Roll()

    def next(self) -> RollClaim | None:
        with self._lock:
            if not self._waiting and not self._is_dry and not self._should_stop():
                self._waiting.extend(
                    self._services.store.horizon.claim_rolling(
                        self._services.worker_name, self._until, LAG_SECONDS, self._limit, LEASE_SECONDS
                    )
                )
                for claim in self._waiting:
                    self._services.leases.keep(claim)
                self._is_dry = len(self._waiting) < self._limit
            return self._waiting.popleft() if self._waiting and not self._should_stop() else None

    def drain(self, claim: RollClaim | None = None) -> None:
        """One thread's share: `claim` if it has one already, and whatever is claimed until there is no more."""
        while claim := claim or self.next():
            self._roll(claim)
            claim = None

    def _roll(self, claim: RollClaim) -> None:
        services = self._services
        try:
            entered, notified = enter_horizon(
                services,
                claim,
                self._until,
                self._in_force.generation,
                ends_claim=True,
                should_stop=self._should_stop,
            )
        except Stopping:
            self._count(claim)
            return
        except SyncError as failure:
            services.log.warning("roll_failed", calendar_id=claim.calendar_id, error_code=failure.code)
            self._count(claim, failed=1)
            return
        except Exception as bug:
            services.log.exception("roll_bug", calendar_id=claim.calendar_id, error=type(bug).__name__)
            self._count(claim, failed=1)
            return
        services.log.info("roll", calendar_id=claim.calendar_id, entered=entered, until=self._until.isoformat())
        services.leases.drop(claim)
        self._count(None, rolled=1, entered=entered)
        if notified:
            self._sync_now(claim)

    def _count(self, unfinished: RollClaim | None, *, rolled: int = 0, entered: int = 0, failed: int = 0) -> None:
        with self._lock:
            so_far = self.result
            self.result = Roll(so_far.rolled + rolled, so_far.entered + entered, so_far.failed + failed)
            if unfinished:
                self._unfinished.append(unfinished)

    def _sync_now(self, claim: RollClaim) -> None:
        """A notification that came while we held the lease was told to wait for its end; we ended it early."""
        for owed in self._services.leases.claim(1, calendar_ids=[claim.calendar_id]):
            sync_claim(self._services, owed, should_stop=self._should_stop)

    def give_back(self) -> None:
        """Ends the leases: syncs of a calendar must not wait for a roll that does not come about. Only now those that
        failed: given back earlier, the same ones would be claimed again and again in this run."""
        for claim in (*self._unfinished, *self._waiting):
            self._services.leases.drop(claim)
            nothing = SyncPart((), self._until)
            try:
                self._services.store.horizon.commit(
                    claim,
                    nothing,
                    None,
                    ends_claim=True,
                    lease_seconds=LEASE_SECONDS,
                    generation=self._services.in_force.now().generation,
                )
            except StoreFailure as unreachable:
                self._services.log.warning(
                    "roll_not_given_back", calendar_id=claim.calendar_id, error_code=unreachable.code
                )
