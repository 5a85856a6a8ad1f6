"""What a measure is, and how ours and its floor are timed turn about. Called by every measure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ours`, `least`, `most`: the median of the rounds and their ends, in `unit`; `floor`:
    likewise what nothing could be better than, or what ours is compared with. `aim`: of `ratio` where there is a floor
    and `is_of_ratio`, else of `ours`; None: the figure is for the record."""

    what: str
    unit: str
    ours: float
    least: float
    most: float
    floor: float | None = None
    aim: float | None = None
    better: Better = "lower"
    is_of_ratio: bool = True

    @property
    def ratio(self) -> float | None:
        """Of ours to the floor."""
        return self.ours / self.floor if self.floor else None

    @property
    def is_met(self) -> bool | None:
        judged = self.ratio if self.is_of_ratio and self.floor else self.ours
        if self.aim is None or judged is None:
            return None
        return judged >= self.aim if self.better == "higher" else judged <= self.aim


@dataclass(frozen=True, slots=True)
class Size:
    """`rounds`: of each thing that is timed. `is_quick`: a look at whether it works; its figures say little."""

    rounds: int = 7
    is_quick: bool = False

    def of(self, whole: int, quick: int) -> int:
        return quick if self.is_quick else whole


@dataclass(frozen=True, slots=True)
class Measure:
    """`run` yields rows as they come. `floor`: what stands in that column."""

    name: str
    what: str
    floor: str
    run: Callable[[Size], Iterator[Row]]


def row_of(
    what: str,
    unit: str,
    ours: Sequence[float],
    floors: Sequence[float] = (),
    *,
    aim: float | None = None,
    better: Better = "lower",
    is_of_ratio: bool = True,
) -> Row:
    """Of the rounds' figures."""
    floor = statistics.median(floors) if floors else None
    return Row(what, unit, statistics.median(ours), min(ours), max(ours), floor, aim, better, is_of_ratio)


def turn_about(rounds: int, *actions: Callable[[], float]) -> list[list[float]]:
    """The figures of each action, one a round: what disturbs the machine disturbs all of them alike. The first round
    warms up, and is left out."""
    found: list[list[float]] = [[] for _ in actions]
    for number in range(rounds + 1):
        for action, figures in zip(actions, found, strict=True):
            figure = action()
            if number:
                figures.append(figure)
    return found


def seconds(action: Callable[[], object]) -> float:
    """That it took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def share(values: Sequence[float], part: float) -> float:
    """The quantile, of few values too."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
