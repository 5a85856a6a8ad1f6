"""The requests to Google that a process may make: leased from the quota that all share, in batches, spent one by one.

Pure: says whether a request may be made, what to ask the store for when not, and how long to wait when there is nothing
to be had. SQL: quota. Held by `jobs/quota_in_force`.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# A batch is what a lane spent in the last minute, as far as its life reaches; how much one of them is at most.
MOST_AT_ONCE = 200
# Of one user's; a listing of many pages spends this within seconds.
USER_AT_ONCE = 30
WINDOW_SECONDS = 60.0
# Each minute begins with something for everybody: what was scarce in the last one is so in this one.
SCARCE_SECONDS = 2 * WINDOW_SECONDS
# Users whose own spending is remembered.
REMEMBERED = 20_000
# Without the store each process is one of many that know nothing of each other: this share of what the settings allow,
# in lives so short that the store is asked again soon.
ALONE_SHARE, ALONE_SECONDS = 0.05, 5.0


class Lane(StrEnum):
    """Whom a request is for, the most urgent first. Each is sure of a share of the quota; what it does not use is the
    others'."""

    PERSON = "person"
    NOTIFIED = "notified"
    IMMINENT = "imminent"
    FIRST = "first"
    POLL = "poll"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Unspent:
    """What a lease left. `ends_at` names the lease, as the store told it."""

    lane: Lane
    ends_at: str
    count: int


@dataclass(frozen=True, slots=True)
class Order:
    """What to ask the store for."""

    lanes: Mapping[Lane, int]
    users: Mapping[str, int]
    unspent: Sequence[Unspent] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """What the store gave. `waits` and `user_waits`: seconds until asking again may help, of those that got nothing.
    `user_allowance`: requests a minute of any one user without asking, but for the `slowed` ones."""

    lanes: Mapping[Lane, int]
    users: Mapping[str, int]
    life_seconds: float
    ends_at: str = ""
    waits: Mapping[Lane, float] = field(default_factory=dict)
    user_waits: Mapping[str, float] = field(default_factory=dict)
    user_allowance: int = 0
    slowed: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Batch:
    count: int
    until: float
    ends_at: str


class Purse:
    """Not thread-safe: its owner holds a lock. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._batches: dict[Lane, _Batch] = {}
        self._unspent: list[Unspent] = []
        self._expected: Counter[tuple[Lane, str]] = Counter()
        self._pace: dict[Lane, tuple[float, float]] = {}
        self._waits: dict[Lane, float] = {}
        self._user_waits: dict[str, float] = {}
        self._user_batches: dict[str, _Batch] = {}
        self._allowed: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._allowance = 0
        self._slowed: frozenset[str] = frozenset()
        self._life = WINDOW_SECONDS
        self._scarce_until = 0.0

    def wait(self, lane: Lane, user_id: str | None, now: float) -> float:
        """Seconds until a request of the lane, and of the user if one is named, may be had; 0.0: now."""
        until = max(self._waits.get(lane, 0.0), self._user_waits.get(user_id or "", 0.0))
        return max(0.0, until - now)

    def expect(self, requests: Iterable[tuple[Lane, str]]) -> None:
        """These are about to be made: an order is for all of them."""
        self._expected = Counter(requests)

    def spend(self, lane: Lane, user_id: str, now: float) -> bool:
        """Whether one request was there, and is spent. If not, `wait` tells how long, and 0.0 that `order` is due."""
        if self.wait(lane, user_id, now) > 0.0:
            return False
        batch, users = self._of(lane, now), self._of_user(user_id, now)
        is_free = lane is Lane.PERSON or self._may_spend_freely(user_id, now)
        if batch is None or (users is None and not is_free):
            return False
        batch.count -= 1
        if self._expected[lane, user_id] > 0:
            self._expected[lane, user_id] -= 1
        if users is not None:
            users.count -= 1
        else:
            self._note_free(user_id, now)
        pace, at = self._pace.get(lane, (0.0, now))
        self._pace[lane] = (pace * math.exp(-(now - at) / WINDOW_SECONDS) + 1.0, now)
        return True

    def order(self, lane: Lane, user_id: str, now: float) -> Order:
        """For a request that was not there: also for the lanes that will soon want some, and for the users of what is
        expected."""
        self._expected[lane, user_id] = max(1, self._expected[lane, user_id])
        lanes = {each: self._wanted(each, now) for each in Lane if self._is_wanted(each, now)}
        users: dict[str, int] = {}
        for (each, whose), count in self._expected.items():
            if count and each is not Lane.PERSON and not self._has_of_user(whose, now):
                users[whose] = users.get(whose, 0) + max(count, self._user_wanted(whose, now))
        unspent, self._unspent = self._unspent, []
        return Order(lanes, users, unspent)

    def receive(self, lease: Lease, now: float) -> None:
        until = now + lease.life_seconds
        for lane, count in lease.lanes.items():
            if count:
                self._leave(lane)
                self._batches[lane] = _Batch(count, until, lease.ends_at)
        for user_id, count in lease.users.items():
            kept = self._of_user(user_id, now)
            self._user_batches[user_id] = _Batch(count + (kept.count if kept else 0), until, lease.ends_at)
        self._waits = {lane: until for lane, until in self._waits.items() if until > now and lane not in lease.lanes}
        self._waits |= {lane: now + seconds for lane, seconds in lease.waits.items()}
        self._user_waits = {each: until for each, until in self._user_waits.items() if until > now}
        self._user_waits |= {each: now + seconds for each, seconds in lease.user_waits.items()}
        self._user_batches = {each: batch for each, batch in self._user_batches.items() if batch.until > now}
        self._allowance, self._slowed, self._life = lease.user_allowance, lease.slowed, lease.life_seconds
        if not lease.user_allowance:
            self._scarce_until = now + SCARCE_SECONDS

    def is_scarce(self, now: float) -> bool:
        """Whether there is too little for all: each user's part has to be kept for them."""
        return now < self._scarce_until

    def is_refused(self, user_id: str, now: float) -> bool:
        """Whether Google has refused the user's requests just now."""
        return user_id in self._slowed and self._user_waits.get(user_id, 0.0) > now

    def refused(self, user_id: str | None, seconds: float, now: float) -> None:
        """Google refused: of the user, or of the project (None), nothing for so many seconds; what was leased is given
        back, for it was too much."""
        if user_id is not None:
            self._user_waits[user_id] = max(self._user_waits.get(user_id, 0.0), now + seconds)
            self._slowed |= {user_id}
            self._user_batches.pop(user_id, None)
            return
        for lane in Lane:
            self._leave(lane)
            self._waits[lane] = max(self._waits.get(lane, 0.0), now + seconds)

    def _wanted(self, lane: Lane, now: float) -> int:
        pace, at = self._pace.get(lane, (0.0, now))
        a_minute = pace * math.exp(-(now - at) / WINDOW_SECONDS)
        ahead = math.ceil(a_minute * self._life / WINDOW_SECONDS)
        return min(max(1, ahead, self._expected_of(lane)), MOST_AT_ONCE)

    def _expected_of(self, lane: Lane) -> int:
        return sum(count for (each, _), count in self._expected.items() if each is lane)

    def _is_wanted(self, lane: Lane, now: float) -> bool:
        """One that is expected to spend something, or did lately, and has nothing left."""
        if self._waits.get(lane, 0.0) > now or self._of(lane, now) is not None:
            return False
        _, at = self._pace.get(lane, (0.0, -math.inf))
        return self._expected_of(lane) > 0 or now - at < WINDOW_SECONDS

    def _user_wanted(self, user_id: str, now: float) -> int:
        """More once a batch was spent within its life: a listing of many pages. Not of what others want too."""
        last = self._user_batches.get(user_id)
        return USER_AT_ONCE if last is not None and last.count == 0 and not self.is_scarce(now) else 1

    def _has_of_user(self, user_id: str, now: float) -> bool:
        return self._of_user(user_id, now) is not None or self._may_spend_freely(user_id, now)

    def _of(self, lane: Lane, now: float) -> _Batch | None:
        batch = self._batches.get(lane)
        if batch is not None and batch.count and batch.until <= now:
            self._leave(lane)
            return None
        return batch if batch is not None and batch.count else None

    def _of_user(self, user_id: str, now: float) -> _Batch | None:
        batch = self._user_batches.get(user_id)
        return batch if batch is not None and batch.count and batch.until > now else None

    def _leave(self, lane: Lane) -> None:
        """The lane's batch is of no more use; what is left of it is given back with the next order."""
        batch = self._batches.pop(lane, None)
        if batch is not None and batch.count and batch.ends_at:
            self._unspent.append(Unspent(lane, batch.ends_at, batch.count))

    def _may_spend_freely(self, user_id: str, now: float) -> bool:
        """Whether the user's own quota is far from used up, as far as this process can tell."""
        spent, since = self._allowed.get(user_id, (0, now))
        return user_id not in self._slowed and (spent if now - since < WINDOW_SECONDS else 0) < self._allowance

    def _note_free(self, user_id: str, now: float) -> None:
        spent, since = self._allowed.pop(user_id, (0, now))
        self._allowed[user_id] = (1, now) if now - since >= WINDOW_SECONDS else (spent + 1, since)
        if len(self._allowed) > REMEMBERED:
            self._allowed.popitem(last=False)


def alone(order: Order, per_minute: float, is_first: bool) -> Lease:
    """What a process allows itself while the store cannot be asked. `is_first`: in the last few seconds it has not
    done so yet; else only persons get anything."""
    share = max(1, int(per_minute * ALONE_SHARE * ALONE_SECONDS / WINDOW_SECONDS))
    lanes = {lane: min(wanted, share) if is_first or lane is Lane.PERSON else 0 for lane, wanted in order.lanes.items()}
    waits = {lane: ALONE_SECONDS for lane, count in lanes.items() if not count}
    return Lease(lanes, dict(order.users), ALONE_SECONDS, waits=waits, user_allowance=share)
