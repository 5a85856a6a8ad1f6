"""What truly happens in a simulated month: changes, lost pushes, dying channels, outages. The same for every policy.

Times are days since a Monday 00:00 UTC. Made by `scripts/simulate_polling`, from a seed.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from sync.core.polling.rhythm import HOURS, Rhythm

REGIONS = 3
# Offices in three parts of the world, hours ahead of UTC.
SHIFTS = (-6, 1, 9)
# Of the calendars: those whose pushes never come, and those of which many get lost.
_SILENT, _POOR = 0.02, 0.08
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Mix:
    """Of what a world is made. `rates`: None draws them, from one a month to a hundred a day. `recall`: None draws it,
    from 0 to 1. `deaths`: per channel and day. `outages`: of all, and of one region, in which every push is lost."""

    rate: float | None = None
    recall: float | None = None
    deaths: float = 1 / 30
    outages: int = 0
    is_even: bool = False


@dataclass(slots=True)
class Truth:
    """One calendar. `announced[i]`: whether a living channel announces change i."""

    rate: float
    recall: float
    shift: int
    region: int
    changes: array[float]
    announced: bytearray
    deaths: list[float]


@dataclass(slots=True)
class World:
    """`outages`: (from, until) of each region, in order."""

    days: float
    mix: Mix
    rhythm: Rhythm
    calendars: list[Truth]
    outages: list[list[tuple[float, float]]]

    def is_out(self, region: int, at: float) -> bool:
        return any(start <= at < end for start, end in self.outages[region])


def office_rhythm() -> Rhythm:
    """Nine changes in ten fall into office hours of working days."""
    day = [0.05] * 7 + [0.3, 1.0, 1.6, 1.7, 1.5, 0.9, 1.2, 1.6, 1.5, 1.2, 0.8, 0.4, 0.25, 0.2, 0.2, 0.15, 0.1]
    week = day * 5 + [hour * 0.12 for hour in day] * 2
    mean = sum(week) / HOURS
    return Rhythm(tuple(hour / mean for hour in week))


def make_world(calendars: int, days: float, seed: int, mix: Mix) -> World:
    chance = random.Random(seed)  # noqa: S311
    rhythm = Rhythm((1.0,) * HOURS) if mix.is_even else office_rhythm()
    hours = int(days * 24) + 48
    until = {
        shift: list(accumulate((rhythm.weights[(hour + shift) % HOURS] / 24 for hour in range(hours)), initial=0.0))
        for shift in SHIFTS
    }
    made = [_calendar(chance, until, days, mix) for _ in range(calendars)]
    outages = [_outages(chance, days, mix.outages) for _ in range(REGIONS)]
    everywhere = _outages(chance, days, mix.outages // 2)
    return World(days, mix, rhythm, made, [sorted(own + everywhere) for own in outages])


def _calendar(chance: random.Random, until: dict[int, list[float]], days: float, mix: Mix) -> Truth:
    shift = chance.choice(SHIFTS)
    rate = mix.rate or min(max(chance.lognormvariate(0.2, 1.4), 0.03), 60.0)
    recall = _recall(chance) if mix.recall is None else mix.recall
    sums = until[shift]
    changes = array("d")
    at = 0.0
    while True:
        at += chance.expovariate(rate)
        hour = bisect_right(sums, at) - 1
        if hour >= len(sums) - 1:
            break
        when = (hour + (at - sums[hour]) / (sums[hour + 1] - sums[hour])) / 24
        if when > days:
            break
        changes.append(when)
    announced = bytearray(chance.random() < recall for _ in changes)
    deaths = []
    at = chance.expovariate(mix.deaths) if mix.deaths else days
    while at < days:
        deaths.append(at)
        at += chance.expovariate(mix.deaths)
    return Truth(rate, recall, shift, chance.randrange(REGIONS), changes, announced, deaths)


def _recall(chance: random.Random) -> float:
    """Nine in ten lose a few per cent at most; some lose much, and one in fifty announces nothing at all."""
    drawn = chance.random()
    if drawn < _SILENT:
        return 0.0
    return _poor(chance.random()) if drawn < _SILENT + _POOR else _good(chance.random())


def _poor(at: float) -> float:
    return 0.3 + 0.65 * at


def _good(at: float) -> float:
    return 1.0 - at**2 * 0.04


@cache
def recall_shares() -> tuple[tuple[float, float], ...]:
    """(recall, share of calendars): the distribution of `_recall`, in a few hundred steps; never quite 0 nor 1."""
    middles = [(step + 0.5) / _STEPS for step in range(_STEPS)]
    good = [(_good(at), (1.0 - _SILENT - _POOR) / _STEPS) for at in middles]
    return (*good, *((_poor(at), _POOR / _STEPS) for at in middles), (1e-6, _SILENT))


def _outages(chance: random.Random, days: float, count: int) -> list[tuple[float, float]]:
    starts = sorted(chance.uniform(0, days) for _ in range(count))
    return [(start, start + chance.uniform(0.5, 8) / 24) for start in starts]
