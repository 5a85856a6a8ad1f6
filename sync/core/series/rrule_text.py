"""Reads Google's `events.recurrence` lines (RRULE, EXRULE, RDATE, EXDATE; RFC 5545 section 3.8.5) into values.

Owns the grammar and its limits. Refuses what it cannot read with `BadRecurrence` instead of guessing: a rule read
wrongly shows meetings which do not exist. Knows no start, zone or window. Called by `core/series/recurrence`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Frequency = Literal[0, 1, 2, 3, 4, 5, 6]
YEARLY: Frequency = 0
MONTHLY: Frequency = 1
WEEKLY: Frequency = 2
DAILY: Frequency = 3
HOURLY: Frequency = 4
MINUTELY: Frequency = 5
SECONDLY: Frequency = 6

# RRULE and EXRULE lines of one series. People have one, rarely two; each costs a walk over the window.
MAX_RULES = 8
# Lines of one series and values of all its date lists together: far beyond Google's own limits, so an invitation
# from elsewhere cannot make one series arbitrarily dear.
MAX_VALUES = 20_000
# Positions in BYSETPOS; people use one to three, and dateutil's work grows with their square.
MAX_POSITIONS = 100
# "Until 9999" is how some clients write "for ever"; arithmetic near datetime.max overflows.
FAR_YEAR = 9000

_FREQUENCIES: dict[str, Frequency] = {
    "YEARLY": YEARLY,
    "MONTHLY": MONTHLY,
    "WEEKLY": WEEKLY,
    "DAILY": DAILY,
    "HOURLY": HOURLY,
    "MINUTELY": MINUTELY,
    "SECONDLY": SECONDLY,
}
_WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
# Part → (lowest, highest, may be negative). RFC 5545 section 3.3.10; second 60 is left out, Python has no leap second.
_NUMBER_LISTS = {
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYSETPOS": (1, 366, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 59, False),
}
_OTHER_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_MOMENT = re.compile(r"([0-9]{8})(?:T([0-9]{6})(Z)?)?")


class BadRecurrence(ValueError):
    """A recurrence line cannot be read; the message names the part and the problem."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A DATE or DATE-TIME as it was written: its digits, and what they are relative to."""

    wall: dt.datetime  # naive; midnight for a DATE
    is_date: bool = False
    is_utc: bool = False
    zone_name: str | None = None  # TZID, only from RDATE and EXDATE


@dataclass(frozen=True, slots=True)
class Rule:
    """One RRULE or EXRULE. `byday` holds (ordinal or 0, weekday with Monday 0), `by` the other BYxxx lists."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    week_start: int = 0
    byday: tuple[tuple[int, int], ...] = ()
    by: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Recurrence:
    rules: tuple[Rule, ...] = ()
    exclusion_rules: tuple[Rule, ...] = ()
    dates: tuple[Moment, ...] = ()
    exclusion_dates: tuple[Moment, ...] = ()


def parse_recurrence(lines: Sequence[str]) -> Recurrence:
    """Read all lines of a series. Tolerates lower case, spaces and empty lines; raises `BadRecurrence`."""
    rules: dict[str, list[Rule]] = {"RRULE": [], "EXRULE": []}
    dates: dict[str, list[Moment]] = {"RDATE": [], "EXDATE": []}
    if len(lines) > MAX_VALUES:
        raise BadRecurrence(f"more than {MAX_VALUES} lines")
    for line in filter(None, map(str.strip, lines)):
        head, colon, value = line.partition(":")
        name, *parameters = (part.strip() for part in head.split(";"))
        name = name.upper()
        if not colon:
            raise BadRecurrence(f"a line has no colon: {_shown(line)}")
        if name in rules:
            rules[name].append(_parse_rule(name, value))
        elif name in dates:
            dates[name].extend(_parse_dates(name, parameters, value))
        else:
            raise BadRecurrence(f"unknown property {_shown(name)}")
    if len(rules["RRULE"]) + len(rules["EXRULE"]) > MAX_RULES:
        raise BadRecurrence(f"more than {MAX_RULES} rules")
    if len(dates["RDATE"]) + len(dates["EXDATE"]) > MAX_VALUES:
        raise BadRecurrence(f"more than {MAX_VALUES} dates")
    return Recurrence(tuple(rules["RRULE"]), tuple(rules["EXRULE"]), tuple(dates["RDATE"]), tuple(dates["EXDATE"]))


def _parse_rule(name: str, text: str) -> Rule:
    parts: dict[str, str] = {}
    for part in filter(None, "".join(text.upper().split()).split(";")):
        key, _, value = part.partition("=")
        if key not in _OTHER_PARTS and key not in _NUMBER_LISTS:
            raise BadRecurrence(f"{name}: unknown part {_shown(key)}")
        if not value:
            raise BadRecurrence(f"{name}: {key} has no value")
        if key in parts:
            raise BadRecurrence(f"{name}: {key} is given twice")
        parts[key] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise BadRecurrence(f"{name}: FREQ is missing or unknown: {_shown(parts.get('FREQ', ''))}")
    if parts.get("WKST", "MO") not in _WEEKDAYS:
        raise BadRecurrence(f"{name}: WKST is not a weekday: {_shown(parts['WKST'])}")
    until = _parse_moment(f"{name}: UNTIL", parts["UNTIL"]) if "UNTIL" in parts else None
    return Rule(
        frequency=_FREQUENCIES[parts["FREQ"]],
        interval=_positive(name, "INTERVAL", parts.get("INTERVAL", "1")),
        count=_positive(name, "COUNT", parts["COUNT"]) if "COUNT" in parts else None,
        until=until if until and until.wall.year < FAR_YEAR else None,
        week_start=_WEEKDAYS[parts.get("WKST", "MO")],
        byday=_parse_weekdays(name, parts.get("BYDAY", "")),
        by=tuple((key.lower(), _parse_numbers(name, key, parts[key])) for key in _NUMBER_LISTS if key in parts),
    )


def _positive(name: str, key: str, text: str) -> int:
    if not _INTEGER.fullmatch(text) or int(text) < 1:
        raise BadRecurrence(f"{name}: {key} is not a positive number: {_shown(text)}")
    return int(text)


def _parse_numbers(name: str, key: str, text: str) -> tuple[int, ...]:
    lowest, highest, signed = _NUMBER_LISTS[key]
    found = set()
    for item in _items(text):
        number = int(item) if _INTEGER.fullmatch(item) else highest + 1
        if not lowest <= (abs(number) if signed else number) <= highest:
            raise BadRecurrence(f"{name}: {key} has a bad number: {_shown(item)}")
        found.add(number)
    if key == "BYSETPOS" and len(found) > MAX_POSITIONS:
        raise BadRecurrence(f"{name}: BYSETPOS has more than {MAX_POSITIONS} positions")
    return tuple(sorted(found))


def _parse_weekdays(name: str, text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for item in _items(text):
        match = _BYDAY.fullmatch(item)
        ordinal = int(match[1] or 0) if match else 0
        if not match or (match[1] and not 1 <= abs(ordinal) <= 53):
            raise BadRecurrence(f"{name}: BYDAY has a bad weekday: {_shown(item)}")
        found.add((ordinal, _WEEKDAYS[match[2]]))
    return tuple(sorted(found))


def _parse_dates(name: str, parameters: Sequence[str], text: str) -> list[Moment]:
    zone_name = None
    for parameter in parameters:
        key, _, value = (piece.strip() for piece in parameter.partition("="))
        # VALUE is not needed: digits tell a DATE from a DATE-TIME, and Google has sent the one under the other's name.
        if key.upper() == "TZID":
            zone_name = value.strip('"')
    moments = []
    for item in _items("".join(text.upper().split())):
        # RDATE;VALUE=PERIOD "start/end" or "start/duration": only the start identifies the occurrence.
        moment = _parse_moment(name, item.partition("/")[0], zone_name)
        if moment.wall.year >= FAR_YEAR:
            raise BadRecurrence(f"{name}: date is out of range: {_shown(item)}")
        moments.append(moment)
    return moments


def _parse_moment(name: str, text: str, zone_name: str | None = None) -> Moment:
    match = _MOMENT.fullmatch(text)
    try:
        if not match:
            raise ValueError
        wall = dt.datetime.strptime(match[1] + (match[2] or "000000"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - naive by design
    except ValueError:
        raise BadRecurrence(f"{name} is not a date or date-time: {_shown(text)}") from None
    if wall.year < 2:  # no room below for a zone's offset
        raise BadRecurrence(f"{name}: date is out of range: {_shown(text)}")
    return Moment(wall, is_date=not match[2], is_utc=bool(match[3]), zone_name=zone_name)


def _items(text: str) -> Iterable[str]:
    return filter(None, text.split(","))


def _shown(text: str) -> str:
    """A hostile line must not fill a log."""
    return repr(text[:40])
