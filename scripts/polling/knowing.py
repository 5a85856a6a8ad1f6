"""Those that know what nobody can know: they show how far any policy can come. Run by `run.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from scripts.polling.policies import Ours, Watched
from scripts.polling.world import World, recall_shares
from sync.core.polling.belief import Belief, Pool
from sync.core.polling.poll_value import PollTable
from sync.core.polling.rhythm import Rhythm


@dataclass(frozen=True, slots=True)
class Told(Belief):
    """Of a calendar whose true recall is told."""

    told: float = 1.0

    def chance_of_misses(self, pool: Pool, count: int) -> float:  # noqa: ARG002
        return float((1.0 - self.told) ** count)


class Informed(Ours):
    """Ours, told every true rate, recall, hazard and the rhythm: the limit of learning. It does not see deaths."""

    name = "informed: true rates, deaths unseen"

    def __init__(self, world: World, dial: float) -> None:
        super().__init__(world, dial)
        self.table = PollTable(max(world.mix.deaths, 1e-6), dial)

    def start(self, calendar: Watched) -> None:
        calendar.belief = Told(told=calendar.truth.recall)
        calendar.pool = Pool(calendar.truth.rate, 1e9, hazard=self.table.hazard)

    def belief_of(self, calendar: Watched) -> tuple[Belief, Pool, Rhythm]:
        return calendar.belief, calendar.pool, self.world.rhythm

    def new_day(self, day: int, calendars: list[Watched]) -> None:
        """It has nothing to learn."""


@dataclass(frozen=True, slots=True)
class Taught(Belief):
    """Of a calendar whose true rate is told, and of its recall the exact distribution from which it was drawn."""

    told: float = 1.0

    def rate(self, pool: Pool) -> float:  # noqa: ARG002
        return self.told

    def chance_of_misses(self, pool: Pool, count: int) -> float:  # noqa: ARG002
        return _misses_after(round(self.announced, 1), round(self.missed, 1), count)


@lru_cache(maxsize=100_000)
def _misses_after(announced: float, missed: float, count: int) -> float:
    """By Bayes, exactly."""
    weights = [
        (recall, share * math.exp(announced * math.log(recall) + missed * math.log(1.0 - recall)))
        for recall, share in recall_shares()
    ]
    return sum(weight * (1.0 - recall) ** count for recall, weight in weights) / sum(weight for _, weight in weights)


class Learner(Informed):
    """Told everything but each calendar's recall, which it must learn: the limit of that. It does not see deaths."""

    name = "told all but each recall"

    def start(self, calendar: Watched) -> None:
        calendar.belief = Taught(told=calendar.truth.rate)
        calendar.pool = Pool(hazard=self.table.hazard)


class Clairvoyant(Informed):
    """Also sees each death and re-opens at once: no policy can."""

    name = "clairvoyant: sees deaths"
    vouches_days = 0.0

    def __init__(self, world: World, dial: float) -> None:
        super().__init__(world, dial)
        self.table = PollTable(1e-6, dial)

    def looked(self, _calendar: Watched, _at: float, _pending: list[float], _is_notified: bool) -> bool:
        return False
