"""Walks one RRULE in naive local time, near a window, at the cost of the window and not of the series' age.

Owns the fast-forward (moving DTSTART by whole INTERVALs, in phase), where a COUNT ends, and every bound on work. The
arithmetic inside a period is dateutil's. Knows no zones, UNTIL or exclusions: see `core/series/recurrence`, its caller.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Iterator
from itertools import islice

from dateutil.rrule import rrule
from dateutil.rrule import weekday as dateutil_weekday

from sync.core.series.rrule_text import DAILY, FAR_YEAR, HOURLY, MINUTELY, MONTHLY, SECONDLY, WEEKLY, YEARLY, Rule

# What one walk may cost, in days looked at and times built; up to a third of a second, which the rules of a series
# share. A 60-day horizon of the busiest honest rule (MINUTELY, two units a step) is 172,800; beyond that only hostile
# rules (SECONDLY;BYHOUR=3) go, and they lose occurrences rather than stop the service.
MAX_WORK = 200_000
# Occurrences one walk may produce, including those before `low` in its first period; shared likewise.
MAX_WALKED = 100_000
# How far ahead a COUNT is followed where it cannot be computed. A COUNT that ends later counts as endless.
COUNT_HORIZON_YEARS = 1000

_UNITS_PER_DAY = {HOURLY: 24, MINUTELY: 24 * 60, SECONDLY: 24 * 60 * 60}
_TIME_PARTS = (("byhour", HOURLY), ("byminute", MINUTELY), ("bysecond", SECONDLY))


def walk(rule: Rule, start: dt.datetime, low: dt.datetime, high: dt.datetime) -> Iterator[dt.datetime]:
    """Local times the rule of a series starting at `start` gives in [max(start, low), high], ascending.

    COUNT and UNTIL are the caller's (`last_of_count`). `start` itself comes only if it matches the rule. Raises
    `WalkCut`, after what it found so far, for a rule too dear for MAX_WORK or MAX_WALKED.
    """
    low = max(start, low)
    if high < low:
        return
    base = _period(rule, start)
    first = _period(rule, low)
    first -= (first - base) % rule.interval
    periods = (_period(rule, high) - first) // rule.interval
    try:
        for number, wall in enumerate(_dateutil_rule(rule, start, _period_start(rule, first), periods)):
            if wall > high:
                return
            if number >= MAX_WALKED // rule.siblings:
                raise WalkCut
            if wall >= low:
                yield wall
    except _OutOfPeriods:
        return
    except ValueError:
        # dateutil says so when a sub-daily INTERVAL can never meet its BYHOUR, BYMINUTE or BYSECOND (the text itself
        # has been checked by rrule_text): such a rule has no occurrences.
        return


@functools.lru_cache(maxsize=2048)
def last_of_count(rule: Rule, start: dt.datetime) -> dt.datetime | None:
    """The local time of the COUNTth occurrence, so that COUNT becomes a kind of UNTIL and can be fast-forwarded.

    None if there is no COUNT, or no such occurrence within COUNT_HORIZON_YEARS and MAX_WORK. COUNT counts the
    rule's own occurrences: a DTSTART that does not match is extra (see `core/series/recurrence`).
    Cached, because for uneven rules (the 31st, BYSETPOS, …) it has to walk from the start.
    """
    if rule.count is None:
        return None
    per_period = _occurrences_per_period(rule, start)
    if per_period is None:
        far = start.replace(year=min(start.year + COUNT_HORIZON_YEARS, FAR_YEAR), day=1)
        return _nth(walk(rule, start, start, far), rule.count)
    base = _period(rule, start)
    try:
        head = list(islice(walk(rule, start, start, _period_end(rule, base)), rule.count))
    except WalkCut:
        return None
    if len(head) == rule.count:
        return head[-1]
    periods, position = divmod(rule.count - len(head) - 1, per_period)
    period = base + (periods + 1) * rule.interval
    if period > _period(rule, dt.datetime(FAR_YEAR, 1, 1)):  # noqa: DTZ001
        return None
    return _nth(walk(rule, start, _period_start(rule, period), _period_end(rule, period)), position + 1)


def _nth(walls: Iterator[dt.datetime], count: int) -> dt.datetime | None:
    try:
        return next(islice(walls, count - 1, None), None)
    except WalkCut:
        return None


class WalkCut(Exception):
    """The rule may have more occurrences: a bound on work ended the walk."""


class _OutOfPeriods(Exception):
    """The walk has left the last period it was asked for."""


class _Stepper(int):
    """INTERVAL for dateutil, which counts its steps and ends the walk.

    dateutil looks at UNTIL and COUNT only when a rule matches: one that never does (BYMONTH=2;BYMONTHDAY=31) runs to
    the year 9999, seconds of CPU for one invitation. It advances by adding INTERVAL, and skips days of a sub-daily rule
    by multiplying it, so an int that counts those is exact, needs no private API, and costs nothing otherwise.
    """

    periods_left: int
    steps_left: int

    def __new__(cls, interval: int, periods: int, steps: int) -> _Stepper:
        stepper = super().__new__(cls, interval)
        stepper.periods_left = periods
        stepper.steps_left = steps
        return stepper

    def _step(self, periods: int) -> None:
        self.periods_left -= periods
        self.steps_left -= 1
        if self.periods_left < 0:
            raise _OutOfPeriods
        if self.steps_left < 0:
            raise WalkCut

    def __radd__(self, other: int) -> int:
        self._step(1)
        return other + int(self)

    def __mul__(self, other: int) -> int:  # WEEKLY: interval * 7
        self._step(1)
        return int(self) * other

    def __rmul__(self, other: int) -> int:  # sub-daily: periods to skip * interval
        self._step(other)
        return other * int(self)


def _dateutil_rule(rule: Rule, start: dt.datetime, period_start: dt.datetime, periods: int) -> rrule:
    """The rule, beginning at `period_start`, with what it derives from DTSTART (RFC 5545 3.3.10) spelled out."""
    by = dict(rule.by)
    days = _weekdays(rule)
    if not days and not by.keys() & {"bymonthday", "byyearday"}:
        if rule.frequency == WEEKLY or "byweekno" in by:
            # dateutil alone would take BYWEEKNO without a day as all seven.
            days = (dateutil_weekday(start.weekday()),)
        elif rule.frequency in (YEARLY, MONTHLY):
            by["bymonthday"] = (start.day,)
            if rule.frequency == YEARLY:
                by.setdefault("bymonth", (start.month,))
    if _is_in_its_own_month(rule):
        by["bymonth"] = (start.month,)
    for (name, frequency), value in zip(_TIME_PARTS, (start.hour, start.minute, start.second), strict=True):
        if rule.frequency < frequency:
            by.setdefault(name, (value,))
    return rrule(
        rule.frequency,
        dtstart=period_start,
        interval=_Stepper(rule.interval, periods, _steps_within(rule, MAX_WORK // rule.siblings)),
        wkst=rule.week_start,
        byweekday=days or None,
        **by,  # type: ignore[arg-type]  # only BYxxx names, from rrule_text
    )


def _steps_within(rule: Rule, work: int) -> int:
    """How many periods so much work is. Raises WalkCut where the times of a day, which dateutil builds before the first
    one, are too much."""
    by = dict(rule.by)
    times = math.prod(len(by.get(name, (0,))) for name, _ in _TIME_PARTS) if rule.frequency < HOURLY else 0
    if times > work:
        raise WalkCut
    return (work - times) // _work_per_step(rule)


def _is_in_its_own_month(rule: Rule) -> bool:
    """YEARLY;BYMONTHDAY without BYMONTH: every month by RFC 5545, but once a year, in DTSTART's month, at Google and
    for those who write it. With other parts beside it the RFC's reading stays."""
    days = dict(rule.by).keys() - dict(_TIME_PARTS).keys()
    return rule.frequency == YEARLY and days == {"bymonthday"} and not rule.byday


def _work_per_step(rule: Rule) -> int:
    """What dateutil does for one period: look at its days, once more for each position, and build a list of times."""
    by = dict(rule.by)
    days = {YEARLY: 366, MONTHLY: 31, WEEKLY: 7}.get(rule.frequency, 1)
    finer = (name for name, frequency in _TIME_PARTS if HOURLY <= rule.frequency < frequency)
    return days * (1 + len(by.get("bysetpos", ()))) + math.prod(len(by.get(name, (0,))) for name in finer)


def _weekdays(rule: Rule) -> tuple[dateutil_weekday, ...]:
    """BYDAY for dateutil, which wants either plain or numbered weekdays: mixed (MO,1TU), it would demand both."""
    if rule.frequency > MONTHLY or len({ordinal == 0 for ordinal, _ in rule.byday}) < 2:
        return tuple(dateutil_weekday(day, ordinal or None) for ordinal, day in rule.byday)
    in_months = rule.frequency == MONTHLY or "bymonth" in dict(rule.by)
    every = range(1, 6 if in_months else 54)
    numbered = {(n, day) for ordinal, day in rule.byday for n in ([ordinal] if ordinal else every)}
    return tuple(dateutil_weekday(day, ordinal) for ordinal, day in sorted(numbered))


def _period(rule: Rule, wall: dt.datetime) -> int:
    """The number of the year, month, week (from WKST), day, … which holds `wall`; INTERVAL counts in these."""
    if rule.frequency == YEARLY:
        return wall.year
    if rule.frequency == MONTHLY:
        return wall.year * 12 + wall.month - 1
    if rule.frequency == WEEKLY:
        return (wall.toordinal() - 1 - rule.week_start) // 7  # day 1 of the ordinals is a Monday
    if rule.frequency == DAILY:
        return wall.toordinal()
    units = _UNITS_PER_DAY[rule.frequency]
    seconds = (wall.hour * 60 + wall.minute) * 60 + wall.second
    return wall.toordinal() * units + seconds * units // 86_400


def _period_start(rule: Rule, period: int) -> dt.datetime:
    if rule.frequency == YEARLY:
        return dt.datetime(period, 1, 1)  # noqa: DTZ001 - naive local time throughout this module
    if rule.frequency == MONTHLY:
        return dt.datetime(period // 12, period % 12 + 1, 1)  # noqa: DTZ001
    if rule.frequency == WEEKLY:
        return dt.datetime.fromordinal(period * 7 + 1 + rule.week_start)
    if rule.frequency == DAILY:
        return dt.datetime.fromordinal(period)
    day, unit = divmod(period, _UNITS_PER_DAY[rule.frequency])
    return dt.datetime.fromordinal(day) + dt.timedelta(seconds=unit * 86_400 // _UNITS_PER_DAY[rule.frequency])


def _period_end(rule: Rule, period: int) -> dt.datetime:
    return _period_start(rule, period + 1) - dt.timedelta(microseconds=1)


def _occurrences_per_period(rule: Rule, start: dt.datetime) -> int | None:
    """How many occurrences every full period has, or None where that varies, so COUNT has to be walked."""
    by = dict(rule.by)
    times = 1
    for name, frequency in _TIME_PARTS:
        if name in by and rule.frequency >= frequency:
            return None
        times *= len(by.pop(name, (0,)))
    if rule.frequency >= DAILY:
        return times if not by and not rule.byday else None
    if rule.frequency == WEEKLY:
        return times * len({day for _, day in rule.byday} or {0}) if not by else None
    if rule.byday:
        ordinals = {ordinal for ordinal, _ in rule.byday}
        steady = ordinals <= {1, 2, 3, 4} or ordinals <= {-1, -2, -3, -4}
        return times * len(rule.byday) if steady and not by and rule.frequency == MONTHLY else None
    month_days = by.pop("bymonthday", (start.day,))
    steady = all(1 <= day <= 28 for day in month_days) or all(-28 <= day <= -1 for day in month_days)
    if rule.frequency == YEARLY:
        times *= len(by.pop("bymonth", (0,)))
    return times * len(month_days) if steady and not by else None
