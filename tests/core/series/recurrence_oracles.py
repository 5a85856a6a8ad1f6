"""Two slow, independent readings of recurrence rules, which the property tests compare `core/series/recurrence` with.

`by_definition` tests every day against RFC 5545's sentences (no dateutil). `by_icalendar` is the whole pipeline of
icalendar and recurring_ical_events.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def by_definition(rule: str, start: dt.date, end: dt.date) -> list[dt.date]:
    """All dates of a DAILY to YEARLY rule in [start, end], COUNT included; UNTIL is not read."""
    parts = dict(part.split("=") for part in rule.split(";"))
    found: list[dt.date] = []
    for days in _periods(parts, start, end):
        matching = [day for day in days if _matches(parts, day, start)]
        if "BYSETPOS" in parts:
            positions = [int(text) for text in parts["BYSETPOS"].split(",")]
            indexes = {n - 1 if n > 0 else len(matching) + n for n in positions}
            matching = [day for index, day in enumerate(matching) if index in indexes]
        found.extend(day for day in matching if day >= start)
    found = [day for day in found if day <= end]
    return found[: int(parts["COUNT"])] if "COUNT" in parts else found


def _periods(parts: dict[str, str], start: dt.date, end: dt.date) -> Iterator[list[dt.date]]:
    """The days of each INTERVALth day, week, month or year, beginning with the whole one that holds the start."""
    interval, frequency = int(parts.get("INTERVAL", 1)), parts["FREQ"]
    week_start = WEEKDAYS.index(parts.get("WKST", "MO"))
    day = {
        "DAILY": start,
        "WEEKLY": start - dt.timedelta(days=(start.weekday() - week_start) % 7),
        "MONTHLY": start.replace(day=1),
        "YEARLY": start.replace(month=1, day=1),
    }[frequency]
    while day <= end:
        length = {
            "DAILY": 1,
            "WEEKLY": 7,
            "MONTHLY": calendar.monthrange(day.year, day.month)[1],
            "YEARLY": 366 if calendar.isleap(day.year) else 365,
        }[frequency]
        yield [day + dt.timedelta(days=n) for n in range(length)]
        if frequency in ("DAILY", "WEEKLY"):
            day += dt.timedelta(days=length * interval)
        else:
            months = day.year * 12 + day.month - 1 + interval * (12 if frequency == "YEARLY" else 1)
            day = dt.date(months // 12, months % 12 + 1, 1)


def _matches(parts: dict[str, str], day: dt.date, start: dt.date) -> bool:
    month_days = calendar.monthrange(day.year, day.month)[1]
    year_days = 366 if calendar.isleap(day.year) else 365
    year_day = day.timetuple().tm_yday
    weeks = dt.date(day.year, 12, 28).isocalendar().week
    tests: dict[str, Callable[[int], bool]] = {
        "BYMONTH": lambda n: n == day.month,
        "BYMONTHDAY": lambda n: n in (day.day, day.day - month_days - 1),
        "BYYEARDAY": lambda n: n in (year_day, year_day - year_days - 1),
        # Weeks from Monday. 52, 53 and -1 are not generated: dateutil puts 2 January 2011 into week 53, not 52.
        "BYWEEKNO": lambda n: day.isocalendar().week == (n if n > 0 else weeks + 1 + n),
    }
    for part, test in tests.items():
        if part in parts and not any(test(int(text)) for text in parts[part].split(",")):
            return False
    if "BYDAY" in parts:
        return any(_is_weekday(text, parts, day) for text in parts["BYDAY"].split(","))
    if parts["FREQ"] == "DAILY" or parts.keys() & {"BYMONTHDAY", "BYYEARDAY"}:
        return True
    if parts["FREQ"] == "WEEKLY" or "BYWEEKNO" in parts:
        return day.weekday() == start.weekday()
    if parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts:
        return day.day == start.day
    return (day.month, day.day) == (start.month, start.day)


def _is_weekday(text: str, parts: dict[str, str], day: dt.date) -> bool:
    if day.weekday() != WEEKDAYS.index(text[-2:]):
        return False
    if text[:-2] in ("", "+") or parts["FREQ"] in ("DAILY", "WEEKLY"):
        return True
    if parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts:
        first, length = day.replace(day=1), calendar.monthrange(day.year, day.month)[1]
    else:
        first, length = day.replace(month=1, day=1), 366 if calendar.isleap(day.year) else 365
    offset = (day - first).days
    return int(text[:-2]) in (offset // 7 + 1, -((length - 1 - offset) // 7 + 1))


def by_icalendar(
    start: dt.datetime | dt.date, lines: Sequence[str], window: tuple[dt.datetime, dt.datetime], duration: dt.timedelta
) -> list[dt.datetime | dt.date]:
    """Starts of the occurrences; `start` is a date, or a naive local time joined with its zone."""
    event = icalendar.Event()
    event.add("uid", "1")
    event.add("dtstart", start)
    event.add("dtend", start + duration)
    text = event.to_ical().decode().replace("END:VEVENT", "\r\n".join([*lines, "END:VEVENT"]))
    parsed = icalendar.Calendar.from_ical(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//\r\n{text}END:VCALENDAR\r\n"
    )
    return sorted(found["DTSTART"].dt for found in recurring_ical_events.of(parsed).between(*window))


def crosses_clock_change(at: dt.datetime, duration: dt.timedelta, zone: ZoneInfo) -> bool:
    return at.astimezone(zone).utcoffset() != (at + duration).astimezone(zone).utcoffset()
