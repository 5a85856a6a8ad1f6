"""Two that know what nobody can know: they show how far any policy can come. Run by `run.py`."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.polling.policies import Ours, Watched
from scripts.polling.world import World
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


class Clairvoyant(Informed):
    """Also sees each death and re-opens at once: no policy can."""

    name = "clairvoyant: sees deaths"
    vouches_days = 0.0

    def __init__(self, world: World, dial: float) -> None:
        super().__init__(world, dial)
        self.table = PollTable(1e-6, dial)

    def looked(self, _calendar: Watched, _at: float, _pending: list[float], _is_notified: bool) -> bool:
        return False
