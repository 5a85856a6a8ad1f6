"""Leave to ask Google, for all of this process' requests: leased from the quota that all processes share, in batches.

Every request of the Calendar API asks here first, and says here how it ended. Whoever gets none is told how long to
wait, at once; nobody waits here, but for the store's answer. Without the store a small share is spent alone. One per
process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from sync.clients.store import Store
from sync.core.polling.purse import ALONE_SECONDS, Lane, Lease, Order, Purse, alone
from sync.errors import AnswerUnbounded, GoogleFailure, QuotaOf, QuotaWait, SlowDown, StoreFailure
from sync.model import Claim
from sync.settings import Settings

# After a refusal without Retry-After; by then the store tells what is left.
REFUSED_SECONDS = 1.0
# As long as the store believes one.
LONGEST_REFUSED_SECONDS = 3600.0
MOST_ORDERS = 2
# Calendars of one user in one claim while requests are scarce: each user gets as many before anybody gets more.
SCARCE_PER_USER = 2


@dataclass(slots=True)
class Answered:
    """What this process' requests came to. `polls`, `requests`: those that Google bills."""

    polls: float = 0.0
    requests: float = 0.0
    refused: float = 0.0
    waited: float = 0.0


class QuotaInForce:
    """Thread-safe; one per process, after fork."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        log: structlog.stdlib.BoundLogger,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._per_minute = settings.google_requests_per_minute
        self._per_user_minute = settings.google_user_requests_per_minute
        self._log = log
        self._monotonic = monotonic
        self._purse = Purse()
        self._lock = threading.Lock()
        # One order at a time: what it brings serves the others too.
        self._ordering = threading.Lock()
        self._alone_until = 0.0
        # Refusals of which it is not known yet whether they concern all: meanwhile everybody waits for the answer.
        self._judging = 0
        self._answered = Answered()
        self.rate_per_minute = self._per_minute

    def take(self, lane: Lane, user_id: str) -> None:
        """Leave for one request. Raises QuotaWait."""
        if not self._judging and self._spend(lane, user_id):
            return
        with self._ordering:
            # The first order may tell that users' own requests have to be leased from now on.
            for _ in range(MOST_ORDERS):
                if self._spend(lane, user_id):
                    return
                if self.wait(lane, user_id):
                    break
                self._order(lane, user_id)
            if self._spend(lane, user_id):
                return
        with self._lock:
            self._answered.waited += 1
        raise QuotaWait("quota_wait", retry_after_seconds=self.wait(lane, user_id) or REFUSED_SECONDS)

    def answered(self, lane: Lane, user_id: str, failure: GoogleFailure | None) -> None:
        """How a request ended. One that was answered whole, or too largely, is billed."""
        is_billed = failure is None or isinstance(failure, AnswerUnbounded)
        with self._lock:
            self._answered.requests += is_billed
            self._answered.polls += is_billed and lane in (Lane.IMMINENT, Lane.POLL)
            self._answered.refused += isinstance(failure, SlowDown)
        if isinstance(failure, SlowDown):
            self._refused(user_id, failure)

    def expect(self, claims: Iterable[Claim]) -> None:
        """These are about to be synced: one lease is for all of them."""
        with self._lock:
            self._purse.expect((lane_of(claim), claim.user_id) for claim in claims)

    def wait(self, lane: Lane, user_id: str) -> float:
        """Seconds until asking again may help; 0.0: now."""
        with self._lock:
            return self._purse.wait(lane, user_id, self._monotonic())

    def waits(self, lane: Lane) -> bool:
        """Whether there is nothing to be had for the lane now, whoever it is for."""
        with self._lock:
            return self._purse.wait(lane, None, self._monotonic()) > 0.0

    def room(self, room: Mapping[str, int]) -> dict[str, int]:
        """The same room for claims, without the lanes for which there is nothing to be had: what is not claimed need
        not be given back."""
        left = dict(room)
        for lane in (Lane.NOTIFIED, Lane.FIRST):
            if self.waits(lane):
                left[lane] = 0
        if self.waits(Lane.POLL):
            left[Lane.IMMINENT] = 0 if self.waits(Lane.IMMINENT) else left[Lane.POLL]
            left[Lane.POLL] = 0
        return left

    def room_for(self, limit: int) -> dict[str, int] | None:
        """Room for so many claims of any lane; None, which is all, while there is enough for all."""
        most = dict.fromkeys((Lane.NOTIFIED.value, Lane.FIRST.value, Lane.POLL.value), limit)
        left = self.room(most)
        if left != most:
            return left
        # The shares of a claim without room (`claim_due_calendars`), but not "more", which fills it with any user's.
        scarce = {Lane.NOTIFIED.value: limit - limit // 3, Lane.FIRST.value: limit // 6 + 1, Lane.POLL.value: limit}
        return scarce if self._is_scarce() else None

    def per_user(self) -> int | None:
        """How many calendars of one user to claim at once; None: as many as usual. While requests are scarce, one with
        many calendars must not come before all others."""
        return SCARCE_PER_USER if self._is_scarce() else None

    def counted(self) -> Answered:
        """What was counted since the last time."""
        with self._lock:
            counts, self._answered = self._answered, Answered()
        return counts

    def count_again(self, counts: Answered) -> None:
        """Could not be reported."""
        with self._lock:
            for name in Answered.__slots__:
                setattr(self._answered, name, getattr(self._answered, name) + getattr(counts, name))

    def _is_scarce(self) -> bool:
        with self._lock:
            return self._purse.is_scarce(self._monotonic())

    def _spend(self, lane: Lane, user_id: str) -> bool:
        with self._lock:
            return self._purse.spend(lane, user_id, self._monotonic())

    def _order(self, lane: Lane, user_id: str) -> None:
        with self._lock:
            order = self._purse.order(lane, user_id, self._monotonic())
        lease = self._lease(order)
        with self._lock:
            self._purse.receive(lease, self._monotonic())

    def _lease(self, order: Order) -> Lease:
        now = self._monotonic()
        if now >= self._alone_until:
            try:
                return self._leased(order)
            except (StoreFailure, LookupError, TypeError, ValueError) as failure:
                self._log.warning("quota_alone", error=str(getattr(failure, "code", type(failure).__name__)))
                self._alone_until = now + ALONE_SECONDS
                return alone(order, self._per_minute, is_first=True)
        return alone(order, self._per_minute, is_first=False)

    def _leased(self, order: Order) -> Lease:
        answer = self._store.quota.lease(
            {str(lane): count for lane, count in order.lanes.items()},
            order.users,
            [{"lane": str(each.lane), "ends_at": each.ends_at, "count": each.count} for each in order.unspent],
            per_minute=self._per_minute,
            per_user_minute=self._per_user_minute,
        )
        self.rate_per_minute = float(answer["rate_per_minute"])
        return _lease(answer)

    def _refused(self, user_id: str, failure: SlowDown) -> None:
        """Said once while the user waits for it, however many of their requests were under way."""
        seconds = min(failure.retry_after_seconds or REFUSED_SECONDS, LONGEST_REFUSED_SECONDS)
        with self._lock:
            is_known = self._purse.is_refused(user_id, self._monotonic())
            self._purse.refused(user_id, seconds, self._monotonic())
            if is_known:
                return
            self._judging += 1
        try:
            with self._ordering:
                whose = self._reported(user_id, failure)
                if whose == QuotaOf.PROJECT:
                    with self._lock:
                        self._purse.refused(None, seconds, self._monotonic())
        finally:
            with self._lock:
                self._judging -= 1
        self._log.warning("google_refused", whose=whose, error_code=failure.code, retry_seconds=seconds)

    def _reported(self, user_id: str, failure: SlowDown) -> str:
        """Whose quota the store takes it to be; what Google said, if the store cannot be asked."""
        try:
            return self._store.quota.report_refusal(
                user_id,
                str(failure.whose),
                failure.retry_after_seconds,
                per_minute=self._per_minute,
                per_user_minute=self._per_user_minute,
            )
        except StoreFailure as unreachable:
            self._log.warning("refusal_not_reported", error_code=unreachable.code)
            return str(failure.whose)


def lane_of(claim: Claim) -> Lane:
    """Whom a claimed calendar's sync is for."""
    if claim.sync_token is None:
        return Lane.FIRST
    if claim.is_notified:
        return Lane.NOTIFIED
    return Lane.IMMINENT if claim.due_reason == "imminent" else Lane.POLL


def _lease(answer: Mapping[str, Any]) -> Lease:
    return Lease(
        lanes={Lane(lane): int(count) for lane, count in answer["leased"].items()},
        users={user_id: int(count) for user_id, count in answer["users"].items()},
        life_seconds=float(answer["life_seconds"]),
        ends_at=answer["ends_at"],
        waits={Lane(lane): float(seconds) for lane, seconds in answer["waits"].items()},
        user_waits={user_id: float(seconds) for user_id, seconds in answer["user_waits"].items()},
        user_allowance=int(answer["user_allowance"]),
        slowed=frozenset(answer["slowed"]),
    )
