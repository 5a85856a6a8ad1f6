"""Who decides when to poll: ours, and its rivals. Run by `run.py`; those that know more are in `knowing.py`.

Each has one dial (a price, or a factor on its fixed times), so that all can be compared at the same number of calls.
All re-open a channel at a missed push. Of our own the code is the service's, `sync.core.polling`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from scripts.polling.world import Truth, World
from sync.core.polling.belief import Belief, Channel, Pool, learn, revived
from sync.core.polling.evidence import ANNOUNCED_WITHIN_SECONDS, weigh_changes
from sync.core.polling.look_plan import Outlook, plan_look
from sync.core.polling.poll_value import poll_table
from sync.core.polling.pooling import COUNTS_FROM_CHANGES, COUNTS_FROM_DAYS, POOR_RECALL, Census, pool_of
from sync.core.polling.price import Price, follow_budget
from sync.core.polling.rhythm import CLASSES, EVEN, HOURS, Rhythm, class_of, rhythm_from_counts

DAY = 86400.0
GRACE = ANNOUNCED_WITHIN_SECONDS / DAY


@dataclass(slots=True)
class Watched:
    """A calendar as the service sees it, and what truly holds of its channel."""

    truth: Truth
    last_look: float = 0.0
    last_push: float = -9.0
    opened: float = 0.0
    is_dead: bool = False
    in_vain: int = 0
    belief: Belief = field(default_factory=Belief)
    pool: Pool = field(default_factory=Pool)

    def hour(self, at: float) -> float:
        return (at * 24.0 + self.truth.shift) % HOURS


class Policy:
    """Fixed times: after a look, a poll in so many days. `dial` multiplies them."""

    name = "24 h forced sync (Attendee)"
    counts_pushes = False

    def __init__(self, world: World, dial: float) -> None:
        self.world = world
        self.dial = dial

    def start(self, calendar: Watched) -> None:
        """Of its life with this policy."""

    def interval(self, _calendar: Watched, _at: float) -> float:
        """Days."""
        return self.dial

    def next_poll(self, calendar: Watched, at: float, chance: float) -> float:
        """After a look at `at`."""
        return at + self.interval(calendar, at) * (0.9 + 0.2 * chance)

    def looked(self, calendar: Watched, at: float, pending: list[float], is_notified: bool) -> bool:
        """Learns of a look; answers whether to open another channel."""
        missed = not is_notified and any(when < at - GRACE for when in pending)
        return missed and at - calendar.opened > 0.25

    def renewed(self, calendar: Watched) -> None:
        """A channel was opened."""

    def new_day(self, day: int, calendars: list[Watched]) -> None:
        """Midnight."""


class SixHours(Policy):
    """The documented rule: a poll when no notification and no look was for so many hours."""

    name = "no notification for 6 h"
    counts_pushes = True

    def interval(self, _calendar: Watched, _at: float) -> float:
        return 0.25 * self.dial


class Nylas(Policy):
    """Every 300 s; every hour where a channel is open."""

    name = "300 s / 3600 s (Nylas sync-engine)"

    def interval(self, calendar: Watched, _at: float) -> float:
        return (3600.0 if calendar.truth.recall > 0 else 300.0) / DAY * self.dial


class Keeper(Policy):
    """Every 60 s; every 300 s where a push came within a day."""

    name = "60 s, 300 s when push is proven (keeper.sh)"

    def interval(self, calendar: Watched, at: float) -> float:
        return (300.0 if at - calendar.last_push < 1.0 else 60.0) / DAY * self.dial


class Ours(Policy):
    """The service's own rules; rates, recalls, the week's rhythm and the deaths are learnt on the way."""

    name = "ours"
    counts_pushes = True
    vouches_days = 0.25

    def __init__(self, world: World, dial: float) -> None:
        super().__init__(world, dial)
        self.pool = Pool()
        self.rhythm: Rhythm = EVEN
        self.changes = [0.0] * CLASSES
        self.hours = [0.0] * CLASSES
        self.deaths = 0.0
        self.channel_days = 0.0
        self.table = poll_table(self.pool.hazard, dial)

    def belief_of(self, calendar: Watched) -> tuple[Belief, Pool, Rhythm]:
        return calendar.belief, self.pool, self.rhythm

    def next_poll(self, calendar: Watched, at: float, chance: float) -> float:
        belief, pool, rhythm = self.belief_of(calendar)
        vouched = max(0.0, calendar.last_push + self.vouches_days - at) * DAY
        look = plan_look(belief, pool, rhythm, self.table, Outlook(calendar.hour(at), True, vouched), chance)
        return at + look.seconds / DAY

    def looked(self, calendar: Watched, at: float, pending: list[float], is_notified: bool) -> bool:
        belief, pool, rhythm = self.belief_of(calendar)
        days = at - calendar.last_look
        seen = weigh_changes(
            [(at - when) * DAY for when in pending],
            look_seconds=days * DAY,
            notified_seconds=0.0 if is_notified else None,
        )
        change_days = rhythm.days(calendar.hour(calendar.last_look), days * 24.0)
        channel = Channel((at - calendar.opened) * DAY, calendar.in_vain)
        learnt = learn(belief, pool, seen, channel, days=days, change_days=change_days)
        calendar.belief = learnt.belief
        for when in pending:
            self.changes[class_of(calendar.hour(when))] += 1
        self.deaths += learnt.deaths
        self.channel_days += learnt.channel_days
        calendar.in_vain = 0 if is_notified else calendar.in_vain + learnt.reopens
        return learnt.reopens

    def renewed(self, calendar: Watched) -> None:
        calendar.belief = revived(calendar.belief)

    def new_day(self, day: int, calendars: list[Watched]) -> None:
        for calendar in calendars:
            for hour in range(24):
                self.hours[class_of((day - 1) * 24 + hour + calendar.truth.shift)] += 1
        self.rhythm = rhythm_from_counts(self.changes, self.hours)
        self.pool = pool_of(self.census(calendars))
        self.table = poll_table(self.pool.hazard, self.dial)

    def census(self, calendars: list[Watched]) -> Census:
        beliefs = [calendar.belief for calendar in calendars]
        rates = [each.rate(self.pool) for each in beliefs if each.change_days > COUNTS_FROM_DAYS]
        counted = [each for each in beliefs if each.announced + each.missed > COUNTS_FROM_CHANGES]
        good = [each for each in counted if each.announced > POOR_RECALL * (each.announced + each.missed)]
        return Census(
            rated=len(rates),
            rates=sum(rates),
            rate_squares=sum(rate * rate for rate in rates),
            good=len(good),
            poor=len(counted) - len(good),
            announced=sum(each.announced for each in good),
            missed=sum(each.missed for each in good),
            deaths=self.deaths,
            channel_days=self.channel_days,
        )


class LossOnly(Ours):
    """Busa-Fekete et al.: signals are lost one by one; channels never die."""

    name = "Busa-Fekete et al., no channel death"
    vouches_days = 0.0

    def new_day(self, day: int, calendars: list[Watched]) -> None:
        super().new_day(day, calendars)
        self.pool = replace(self.pool, hazard=1e-9)
        self.table = poll_table(1e-9, self.dial)

    def looked(self, calendar: Watched, at: float, pending: list[float], is_notified: bool) -> bool:
        super().looked(calendar, at, pending, is_notified)
        return Policy.looked(self, calendar, at, pending, is_notified)


class Budgeted(Ours):
    """Ours, whose price follows a budget: the dial is polls a day and calendar."""

    name = "ours, by budget"

    def __init__(self, world: World, dial: float) -> None:
        super().__init__(world, dial)
        self.price = Price()
        self.table = poll_table(self.pool.hazard, self.price.days)

    def new_day(self, day: int, calendars: list[Watched]) -> None:
        self.dial = self.price.days
        super().new_day(day, calendars)

    def spent(self, polls: float, days: float, budget: float) -> None:
        self.price = follow_budget(self.price, polls, days * DAY, budget)
        self.table = poll_table(self.pool.hazard, self.price.days)
