"""When in the week people change their calendars. Pure. Called by whatever counts changes against time.

Changes keep office hours: a silent night is no sign of anything, and polling it finds nothing. So time is measured in
days of *change time*, in which changes are even: an hour with weight 2 is two hours of it, and a week is seven days.
The weights are one set for all calendars, each read in its own time zone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

HOURS = 168
# What is counted: the hours of a working day, then those of a day at the weekend.
CLASSES = 48
_SATURDAY = 5
# An hour in which nobody was ever seen to change anything still counts for this: some day somebody will.
LEAST_WEIGHT = 0.03
# Each class begins as if it had been watched until so many changes came, at the mean rate.
EVEN_CHANGES = 4.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`weights`: for each hour of the week from Monday 00:00, their mean is 1."""

    weights: tuple[float, ...]
    peak: float = field(init=False, compare=False)
    _until: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "peak", max(self.weights))
        twice = accumulate(self.weights * 2, initial=0.0)
        object.__setattr__(self, "_until", tuple(hours / 24.0 for hours in twice))

    def days(self, hour_of_week: float, hours: float) -> float:
        """Change time, in days, of so many hours from an hour of the week in [0, 168)."""
        weeks = hours // HOURS
        end = hour_of_week + hours - weeks * HOURS
        return self._at(end) - self._at(hour_of_week) + weeks * 7.0

    def _at(self, hour: float) -> float:
        whole = int(hour)
        return self._until[whole] + self.weights[whole % HOURS] * (hour - whole) / 24.0


EVEN = Rhythm((1.0,) * HOURS)


def rhythm_from_counts(changes: Sequence[float], hours: Sequence[float]) -> Rhythm:
    """Of the changes counted in each class and the hours for which it was watched, both over all calendars.

    Before much was watched it is nearly even.
    """
    mean = sum(changes) / sum(hours) if sum(changes) else 1.0
    rates = [
        (count + EVEN_CHANGES) / (watched + EVEN_CHANGES / mean) for count, watched in zip(changes, hours, strict=True)
    ]
    week = [rates[class_of(hour)] for hour in range(HOURS)]
    level = sum(week) / HOURS
    floored = [max(rate / level, LEAST_WEIGHT) for rate in week]
    return Rhythm(tuple(weight / (sum(floored) / HOURS) for weight in floored))


def class_of(hour: float) -> int:
    """Which of the 48 an hour of the week belongs to."""
    day, of_day = divmod(int(hour) % HOURS, 24)
    return of_day if day < _SATURDAY else 24 + of_day


def hour_of_week(local: dt.datetime) -> float:
    """Of a time that is given in the calendar's own zone: 0 is Monday 00:00."""
    return local.weekday() * 24 + local.hour + local.minute / 60 + local.second / 3600
