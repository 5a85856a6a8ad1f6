"""All policies through the same worlds, compared at the same number of calls. Called by `scripts/simulate_polling`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from scripts.polling.knowing import Clairvoyant, Informed, Learner
from scripts.polling.policies import Budgeted, Keeper, LossOnly, Nylas, Ours, Policy, SixHours
from scripts.polling.run import Run
from scripts.polling.world import Mix, World, make_world

PRICES = (0.0005, 0.0015, 0.004, 0.012, 0.04)
# Each policy, and the settings of its dial.
RIVALS: tuple[tuple[type[Policy], tuple[float, ...]], ...] = (
    (Ours, PRICES),
    (SixHours, (0.35, 0.6, 1.0, 1.7, 3.0)),
    (Nylas, (1.0, 6.0, 14.0, 30.0)),
    (Keeper, (15.0, 60.0, 150.0, 400.0)),
    (Policy, (0.2, 0.4, 0.7, 1.0)),
    (LossOnly, PRICES),
    (Informed, PRICES),
    (Clairvoyant, PRICES),
)
KNOWING: tuple[tuple[type[Policy], tuple[float, ...]], ...] = (
    (Ours, PRICES),
    (Informed, PRICES),
    (Learner, PRICES),
    (Clairvoyant, PRICES),
)
AS_IT_COMES = Mix(outages=2)
INDEPENDENT = Mix(deaths=0.0)
TEN_A_DAY = Mix(rate=10.0, recall=0.98, is_even=True)
TEN_IN_OFFICES = Mix(rate=10.0, recall=0.98)


@dataclass(frozen=True, slots=True)
class Task:
    policy: type[Policy]
    dial: float
    mix: Mix
    seed: int
    calendars: int
    days: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. Times in hours, None where there was nothing to measure."""

    task: Task
    stale: float
    polls: float
    watches: float
    wait: float
    p99_wait: float
    detection: float | None
    noticing: float | None
    last_week: float

    @property
    def calls(self) -> float:
        return self.polls + self.watches


@dataclass(frozen=True, slots=True)
class Point:
    """Of all seeds: means, and the spread of staleness (its greatest distance from the mean)."""

    dial: float
    calls: float
    polls: float
    stale: float
    spread: float
    wait: float
    p99_wait: float
    detection: float | None
    noticing: float | None
    last_week: float


Curves = dict[type[Policy], list[Point]]


def simulate(task: Task) -> Figures:
    world = _world(task.calendars, task.days, task.seed, task.mix)
    result = Run(world, task.policy(world, task.dial), task.seed).go()
    waits = sorted(result.waits) or [0.0]
    return Figures(
        task,
        result.stale,
        result.polls,
        result.watches,
        statistics.fmean(waits) * 24,
        waits[int(len(waits) * 0.99)] * 24,
        statistics.median(result.detections) * 24 if result.detections else None,
        statistics.median(result.noticeable) * 24 if result.noticeable else None,
        statistics.fmean(result.daily[-7:] or [0.0]),
    )


@lru_cache(maxsize=2)
def _world(calendars: int, days: float, seed: int, mix: Mix) -> World:
    return make_world(calendars, days, seed, mix)


@dataclass(frozen=True, slots=True)
class Size:
    calendars: int
    days: float
    seeds: int
    processes: int = 1


def curves(policies: Sequence[tuple[type[Policy], tuple[float, ...]]], mix: Mix, size: Size) -> Curves:
    """By rising number of calls."""
    tasks = [
        Task(policy, dial, mix, seed, size.calendars, size.days)
        for seed in range(1, size.seeds + 1)
        for policy, dials in policies
        for dial in dials
    ]
    found = run_all(tasks, size.processes)
    drawn: Curves = {}
    for policy, dials in policies:
        points = [
            _point([each for each in found if each.task.policy is policy and each.task.dial == dial]) for dial in dials
        ]
        drawn[policy] = sorted(points, key=lambda point: point.calls)
    return drawn


def run_all(tasks: list[Task], processes: int) -> list[Figures]:
    if processes == 1:
        return [simulate(task) for task in tasks]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(simulate, tasks))


def _point(figures: list[Figures]) -> Point:
    def mean(of: Callable[[Figures], float]) -> float:
        return statistics.fmean(of(each) for each in figures)

    def median(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if known else None

    stale = mean(lambda each: each.stale)
    return Point(
        figures[0].task.dial,
        mean(lambda each: each.calls),
        mean(lambda each: each.polls),
        stale,
        max(abs(each.stale - stale) for each in figures),
        mean(lambda each: each.wait),
        mean(lambda each: each.p99_wait),
        median([each.detection for each in figures]),
        median([each.noticing for each in figures]),
        mean(lambda each: each.last_week),
    )


def stale_at(points: list[Point], calls: float) -> float | None:
    """Staleness of a policy at so many calls, along the line between its points; None beyond their ends."""
    for low, high in pairwise(points):
        if low.calls <= calls <= high.calls:
            along = math.log(calls / low.calls) / math.log(high.calls / low.calls)
            return math.exp(math.log(low.stale) * (1 - along) + math.log(high.stale) * along)
    return None


def calls_at(points: list[Point], stale: float) -> float | None:
    """Calls that a policy needs for a staleness."""
    for low, high in pairwise(points):
        if high.stale <= stale <= low.stale:
            along = math.log(stale / low.stale) / math.log(high.stale / low.stale)
            return math.exp(math.log(low.calls) * (1 - along) + math.log(high.calls) * along)
    return None


def budget_points(size: Size) -> list[Point]:
    """Ours under three budgets, by the price that finds itself."""
    return curves(((Budgeted, (1.2, 2.0, 4.0)),), AS_IT_COMES, size)[Budgeted]
