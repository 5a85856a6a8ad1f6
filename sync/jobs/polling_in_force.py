"""What every calendar's next look hangs on in common, as this process last learnt it; and what this process has counted
towards it.

Read from the store once a minute, reported as often, by a duty; never on the way of a sync. Without the store what was
last known holds. Called at every sync's end.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields

from sync.clients.store import Store
from sync.core.polling.belief import Learnt, Pool
from sync.core.polling.poll_value import PollTable
from sync.core.polling.pooling import Census, pool_of
from sync.core.polling.price import Price, googles_day
from sync.core.polling.rhythm import CLASSES, EVEN, Rhythm, class_of, rhythm_from_counts
from sync.errors import StoreFailure
from sync.jobs.quota_in_force import QuotaInForce
from sync.model import PollingState


@dataclass(frozen=True, slots=True)
class InCommon:
    """What holds for all calendars now."""

    pool: Pool
    rhythm: Rhythm
    table: PollTable
    price: Price


class PollingInForce:
    """Thread-safe; one per process."""

    def __init__(self, store: Store, quota: QuotaInForce, clock: Callable[[], dt.datetime]) -> None:
        self._store = store
        self._quota = quota
        self._clock = clock
        self._lock = threading.Lock()
        self._known = in_common(PollingState({}, 0.0, 0.0, 0.0), None)
        self._counts = _Counts()

    def now(self) -> InCommon:
        """As last learnt."""
        return self._known

    def refresh(self) -> None:
        """Says what was counted, and learns what holds. Raises StoreFailure; then the last word stands, and what was
        counted is said later."""
        self.report()
        self._known = in_common(self._store.polling.read(googles_day(self._clock()).date), self._known)

    def count(self, learnt: Learnt, *, changes: int, hour: float, hours: float) -> None:
        """One sync's share. `hour`: of the calendar's week, when it ended; `hours`: since its last look."""
        with self._lock:
            self._counts.add(learnt, changes, hour, hours)

    def report(self) -> None:
        """Says what was counted since the last time. Raises StoreFailure; then it is said again later."""
        with self._lock:
            counts, self._counts = self._counts, _Counts()
        answered = self._quota.counted()
        if not any(astuple(answered)) and not any(counts.hours):
            return
        try:
            self._store.polling.report(
                googles_day(self._clock()).date,
                polls=answered.polls,
                requests=answered.requests,
                refused=answered.refused,
                waited=answered.waited,
                deaths=counts.deaths,
                channel_days=counts.channel_days,
                changes=counts.changes,
                hours=counts.hours,
            )
        except StoreFailure:
            with self._lock:
                self._counts.merge(counts)
            self._quota.count_again(answered)
            raise


def in_common(state: PollingState, before: InCommon | None) -> InCommon:
    """From the stored row; the table is kept while its price and hazard are the same, for it is worked out as it is
    used."""
    plan = state.plan
    names = [field.name for field in fields(Census)]
    pool = pool_of(Census(**{name: plan[name] for name in names})) if plan else Pool()
    price = Price(plan["price_seconds"], plan["calls_per_day"]) if plan.get("price_seconds") else Price()
    rhythm = rhythm_from_counts(plan["rhythm_changes"], plan["rhythm_hours"]) if plan else EVEN
    table = PollTable(pool.hazard, price.days)
    if before and (before.table.hazard, before.table.price_days) == (table.hazard, table.price_days):
        table = before.table
    return InCommon(pool, rhythm, table, price)


class _Counts:
    """What one process has counted."""

    def __init__(self) -> None:
        self.deaths = self.channel_days = 0.0
        self.changes = [0.0] * CLASSES
        self.hours = [0.0] * CLASSES

    def add(self, learnt: Learnt, changes: int, hour: float, hours: float) -> None:
        self.deaths += learnt.deaths
        self.channel_days += learnt.channel_days
        # A look after days says little of the hour in which something changed.
        if 0.0 < hours <= 24.0:
            for step in range(int(hours) + 1):
                self.hours[class_of(hour - step)] += min(1.0, hours - step)
            self.changes[class_of(hour)] += changes

    def merge(self, other: _Counts) -> None:
        self.deaths += other.deaths
        self.channel_days += other.channel_days
        self.changes = [mine + theirs for mine, theirs in zip(self.changes, other.changes, strict=True)]
        self.hours = [mine + theirs for mine, theirs in zip(self.hours, other.hours, strict=True)]
