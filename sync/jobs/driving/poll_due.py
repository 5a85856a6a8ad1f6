"""The sweep of a cron: claims what is due and syncs it in parallel threads within a time budget.

The budget ends new claims, not work under way: a listing longer than a request's time goes on after the answer, and is
not begun anew by every cron. Called by the cron endpoint.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync.clients.breakers import GOOGLE_API
from sync.core.polling.purse import Lane
from sync.errors import StoreFailure
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import SyncOutcome, sync_claim
from sync.model import Claim
from sync.telemetry.origin import carried

# Claimed at a time, per thread: enough that claiming is a small share of the calls, few enough that a claimed calendar
# waits seconds.
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


class _Sweeping:
    """The claims and outcomes of one sweep, shared by its threads."""

    def __init__(
        self,
        services: Services,
        deadline: float,
        last_seconds: float,
        should_stop: Callable[[], bool],
        late: Callable[[SyncOutcome], None],
        ahead_seconds: float,
        lanes: Sequence[Lane] | None,
    ) -> None:
        self._services = services
        self._deadline = deadline
        self._last_seconds = last_seconds
        self._should_stop = should_stop
        self._late = late
        self._ahead_seconds = ahead_seconds
        self._lanes = lanes
        self._limit = services.settings.sync_threads * CLAIMS_PER_THREAD
        self._waiting: deque[Claim] = deque()
        self._changed = threading.Condition()
        self._outcomes: list[SyncOutcome] = []
        self._running = 0
        self._busy = 0
        self._dry = False
        self._is_answered = False

    def begin(self) -> None:
        """A sweep that finds nothing starts no thread. Raises StoreUnavailable if the store cannot be asked."""
        with self._changed:
            self._claim_more()
            if not self._waiting:
                return
            self._running = self._services.settings.sync_threads
        for number in range(self._running):
            threading.Thread(target=carried(self._drain), name=f"sweep-{number}").start()

    def end(self) -> tuple[SyncOutcome, ...]:
        """What came of it within the time; the rest is told to `late` when it comes."""
        with self._changed:
            while self._running and not (self._should_stop() and not self._waiting):
                left = self._deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, 0.5))
            if self._should_stop():
                # Each gives its claim back at its next page.
                while self._running:
                    self._changed.wait()
            self._is_answered = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for claim in waiting:
            self._services.leases.drop(claim)
            self._services.store.claims.release(claim)
        return tuple(self._outcomes)

    def _may_claim(self) -> bool:
        return not self._should_stop() and time.monotonic() < self._deadline - self._last_seconds

    def _claim_more(self) -> None:
        # One alone where it is the probe of a Google that answered nobody; none before its time.
        limit = self._services.breakers.room(GOOGLE_API, self._limit)
        if limit and not self._waiting and not self._dry and self._may_claim():
            quota = self._services.quota
            room, per_user = self._room(limit), quota.per_user()
            claimed = self._services.leases.claim(
                limit, room=room, ahead_seconds=self._ahead_seconds, per_user=per_user
            )
            # Some of each user are left while there is little for all.
            self._dry = len(claimed) < limit if per_user is None else not claimed
            if not claimed and not self._busy and self._lanes is None:
                # One whose last claims were never ended: alone, when nothing else is left to do.
                claimed = self._services.leases.claim(1, room={"suspect": 1})
            self._services.quota.expect(claimed)
            self._waiting.extend(claimed)

    def _room(self, limit: int) -> dict[str, int] | None:
        room = self._services.quota.room_for(limit)
        return room if self._lanes is None else {lane: (room or {}).get(lane, limit) for lane in self._lanes}

    def _next(self) -> Claim | None:
        with self._changed:
            try:
                self._claim_more()
            except StoreFailure as failure:
                self._services.operator_faults.tell("sweep_cut_short", failure)
                self._dry = True
            while self._waiting and self._may_claim():
                claim = self._waiting.popleft()
                if self._services.leases.is_held(claim):
                    self._busy += 1
                    return claim
            return None

    def _drain(self) -> None:
        """One thread's share: whatever is claimed, until there is no more."""
        try:
            while claim := self._next():
                outcome = sync_claim(
                    self._services, claim, should_stop=self._should_stop, ahead_seconds=self._ahead_seconds
                )
                with self._changed:
                    self._busy -= 1
                    is_late = self._is_answered
                    if not is_late:
                        self._outcomes.append(outcome)
                if is_late:
                    self._late(outcome)
        except Exception as bug:
            self._services.log.exception("sweep_bug", error=type(bug).__name__)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()


def poll_due(
    services: Services,
    *,
    budget_seconds: float,
    should_stop: Callable[[], bool] = lambda: False,
    late: Callable[[SyncOutcome], None] = lambda _outcome: None,
    ahead_seconds: float = 0.0,
    lanes: Sequence[Lane] | None = None,
) -> Sweep:
    """Syncs due calendars until none is left, the budget is used, or `should_stop`. `late`: told of each sync that ends
    after the answer. `ahead_seconds`: what becomes due within that time is due now. `lanes`: only of these.

    Raises StoreUnavailable if the store cannot be asked what is due.
    """
    deadline = time.monotonic() + budget_seconds
    sweeping = _Sweeping(
        services, deadline, min(LAST_SECONDS, budget_seconds / 2), should_stop, late, ahead_seconds, lanes
    )
    sweeping.begin()
    outcomes = sweeping.end()
    remaining, vouched_for = services.store.claims.sweep_state(services.settings.poll_stale_hours)
    return Sweep(outcomes, remaining, vouched_for)
