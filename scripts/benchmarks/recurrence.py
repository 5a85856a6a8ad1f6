"""Expanding a series into the horizon, against dateutil from its start on. Both must find the same occurrences."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from functools import partial
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from scripts.benchmarks.measuring import Measure, Row, Size, row_of, turn_about
from sync.core.series.recurrence import occurrence_starts
from sync.core.series.rrule_walk import last_of_count
from sync.model import EventTime, Window

ZONE = "Europe/Zurich"
HOUR = dt.timedelta(hours=1)
WINDOW = Window(dt.datetime(2026, 6, 1, tzinfo=dt.UTC), dt.datetime(2026, 7, 31, tzinfo=dt.UTC))
YEARS = (1, 10, 40)
# Every COUNT ends in 2027, so the series is alive in the window however old it is.
RULES = {
    "daily": ("FREQ=DAILY", None),
    "weekly BYDAY=MO,WE,FR": ("FREQ=WEEKLY;BYDAY=MO,WE,FR", None),
    "monthly 2nd Tuesday": ("FREQ=MONTHLY;BYDAY=2TU", None),
    "yearly": ("FREQ=YEARLY", None),
    "daily COUNT": ("FREQ=DAILY", 365),
    "weekly BYDAY=MO,WE,FR COUNT": ("FREQ=WEEKLY;BYDAY=MO,WE,FR", 156),
    "monthly on the 31st COUNT": ("FREQ=MONTHLY;BYMONTHDAY=31", 7),
    "working days (DAILY;BYDAY) COUNT": ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", 260),
}


def naive(rule: str, start: dt.datetime) -> list[dt.datetime]:
    """The usual way: dateutil on an aware start, from the start to the window's end."""
    return [at.astimezone(dt.UTC) for at in rrulestr(rule, dtstart=start).between(WINDOW.start - HOUR, WINDOW.end)]


def ours(rule: str, start: EventTime) -> list[dt.datetime]:
    found = occurrence_starts(start, [f"RRULE:{rule}"], WINDOW, HOUR, ZONE)
    return [occurrence.at for occurrence in found if occurrence.at]


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def recurrence(size: Size) -> Iterator[Row]:
    for name, (rule, per_year) in RULES.items():
        for years in YEARS:
            start = dt.datetime(2026 - years, 6, 2, 9, tzinfo=ZoneInfo(ZONE))
            text = f"{rule};COUNT={per_year * (years + 1)}" if per_year else rule
            begin = EventTime(at=start.astimezone(dt.UTC), time_zone=ZONE)
            last_of_count.cache_clear()
            if naive(text, start) != ours(text, begin):
                raise RuntimeError(f"different occurrences: {text} from {start}")
            fast, slow = turn_about(
                size.rounds, partial(timed, partial(ours, text, begin)), partial(timed, partial(naive, text, start))
            )
            yield row_of(f"{name}, begun {years} years ago", "ms", fast, slow, aim=1.0)


MEASURES = (
    Measure("recurrence", "expanding a series into sixty days", "dateutil, from the series' start", recurrence),
)
