"""Reads Google's `events.recurrence` lines (RRULE, EXRULE, RDATE, EXDATE; RFC 5545 section 3.8.5) into values.

Owns the grammar and its limits. What people import is read as it is meant wherever that is beyond doubt; any other line
is set aside with its problem and hides nothing but itself, for a rule read wrongly shows meetings which do not exist.
Knows no start, zone or window. Called by `core/series/recurrence`.

Read as meant, though RFC 5545 would refuse it:
- X- lines and parts, RSCALE=GREGORIAN and SKIP=OMIT (RFC 7529: what holds without them) change nothing; a part without
  a value, and an empty rule, say nothing.
- INTERVAL below 1 is 1. COUNT below 1 is no limit: iCalendar libraries write -1 and 0 for "not given".
- Of a part given twice the last counts; lists of BYxxx unite.
- `RRULE:DATE;TZID=…:…` is an RDATE whose name was cut in the wrong place, `RRULE:RRULE:…` a name written twice, and
  `FREQ=…` alone one that was forgotten.
- More than one Z after a moment are one; a Z after a date is decoration.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Frequency = Literal[0, 1, 2, 3, 4, 5, 6]
YEARLY: Frequency = 0
MONTHLY: Frequency = 1
WEEKLY: Frequency = 2
DAILY: Frequency = 3
HOURLY: Frequency = 4
MINUTELY: Frequency = 5
SECONDLY: Frequency = 6

# RRULE and EXRULE lines of one series that are read. People have one, rarely two; each costs a walk over the window.
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
# Part → the only value of it that changes nothing (RFC 7529).
_NEUTRAL_PARTS = {"RSCALE": "GREGORIAN", "SKIP": "OMIT"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_MOMENT = re.compile(r"([0-9]{8})(?:T([0-9]{6}))?(Z*)")
_NAME_AGAIN = re.compile(r"\A(?:RRULE\s*:\s*)+", re.IGNORECASE)
_CUT_RDATE = re.compile(r"DATE\s*[;:]", re.IGNORECASE)
# A parameter's value may be quoted, and then hold what ends it elsewhere.
_PARAMETER = re.compile(r'(?:[^";]|"[^"]*"?)+')


class BadRecurrence(ValueError):
    """A recurrence cannot be read; the message names the part and the problem."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A DATE or DATE-TIME as it was written: its digits, and what they are relative to."""

    wall: dt.datetime  # naive; midnight for a DATE
    is_date: bool = False
    is_utc: bool = False
    zone_name: str | None = None  # TZID, only from RDATE and EXDATE


@dataclass(frozen=True, slots=True)
class Rule:
    """One RRULE or EXRULE. `byday` holds (ordinal or 0, weekday with Monday 0), `by` the other BYxxx lists, `siblings`
    how many rules its series has, itself too: they share what work one may make."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: Moment | None = None
    week_start: int = 0
    byday: tuple[tuple[int, int], ...] = ()
    by: tuple[tuple[str, tuple[int, ...]], ...] = ()
    siblings: int = 1


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """A line, or some of its values, that was set aside. `number` counts from 1, as the event lists its lines."""

    number: int
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Recurrence:
    rules: tuple[Rule, ...] = ()
    exclusion_rules: tuple[Rule, ...] = ()
    dates: tuple[Moment, ...] = ()
    exclusion_dates: tuple[Moment, ...] = ()
    unread: tuple[UnreadLine, ...] = ()

    @property
    def may_hold_more(self) -> bool:
        """Whether a line that adds occurrences was set aside, so that those known may not be all."""
        return any(line.name not in ("EXRULE", "EXDATE") for line in self.unread)


def parse_recurrence(lines: Sequence[str]) -> Recurrence:
    """Read all lines of a series. Raises nothing: `unread` has what was set aside."""
    found = _Found()
    for number, line in enumerate(lines[:MAX_VALUES], start=1):
        if not line.strip():
            continue
        name, parameters, value = _split(line.strip())
        try:
            found.take(name, parameters, value)
        except BadRecurrence as problem:
            found.unread.append(UnreadLine(number, name[:10], str(problem)))
    if len(lines) > MAX_VALUES:
        found.unread.append(UnreadLine(MAX_VALUES + 1, "", f"more than {MAX_VALUES} lines"))
    siblings = sum(map(len, found.rules.values()))
    return Recurrence(
        tuple(replace(rule, siblings=siblings) for rule in found.rules["RRULE"]),
        tuple(replace(rule, siblings=siblings) for rule in found.rules["EXRULE"]),
        tuple(found.dates["RDATE"]),
        tuple(found.dates["EXDATE"]),
        tuple(found.unread),
    )


@dataclass(slots=True)
class _Found:
    """What the lines read so far have given."""

    rules: dict[str, list[Rule]] = field(default_factory=lambda: {"RRULE": [], "EXRULE": []})
    dates: dict[str, list[Moment]] = field(default_factory=lambda: {"RDATE": [], "EXDATE": []})
    unread: list[UnreadLine] = field(default_factory=list)

    def take(self, name: str, parameters: Sequence[str], value: str) -> None:
        """Raises BadRecurrence; what could be read of the line is kept even so."""
        if name in self.rules:
            if _says_nothing(value):
                return
            if sum(map(len, self.rules.values())) >= MAX_RULES:
                raise BadRecurrence(f"{name}: more than {MAX_RULES} rules")
            self.rules[name].append(_parse_rule(name, value))
        elif name in self.dates:
            self._take_dates(name, _zone_name(parameters), value)
        elif not name.startswith("X-"):
            raise BadRecurrence(f"unknown property {_shown(name)}")

    def _take_dates(self, name: str, zone_name: str | None, value: str) -> None:
        problem = None
        room = MAX_VALUES - sum(map(len, self.dates.values()))
        for item in _items("".join(value.upper().split())):
            if room <= 0:
                raise BadRecurrence(f"{name}: more than {MAX_VALUES} dates")
            room -= 1
            try:
                self.dates[name].append(_parse_date(name, item, zone_name))
            except BadRecurrence as bad:
                problem = problem or bad
        if problem:
            raise problem


def _split(line: str) -> tuple[str, list[str], str]:
    """A line's name, parameters and value. A line that has no name but is a rule gets it."""
    if line[:5].upper() == "FREQ=":
        return "RRULE", [], line
    head, _, value = line.partition(":")
    name, *parameters = (part.strip() for part in head.split(";"))
    name = name.upper()
    if name == "RRULE":
        value = _NAME_AGAIN.sub("", value.strip())
        if not _CUT_RDATE.match(value):
            return name, parameters, value
        name, line = "RDATE", "R" + value
    if name in ("RDATE", "EXDATE"):
        # Dates hold no colon, but a zone's name may, quoted as RFC 5545 3.2 asks or not.
        head, _, value = line.rpartition(":")
        parameters = [part.strip() for part in _PARAMETER.findall(head)[1:]]
    return name, parameters, value


def _zone_name(parameters: Sequence[str]) -> str | None:
    # VALUE is not needed: digits tell a DATE from a DATE-TIME, and Google has sent the one under the other's name.
    for parameter in parameters:
        key, _, value = (piece.strip() for piece in parameter.partition("="))
        if key.upper() == "TZID":
            return value.strip('"')
    return None


def _says_nothing(rule: str) -> bool:
    return not rule.replace(";", "").strip()


def _parse_rule(name: str, text: str) -> Rule:
    parts = _parts_of(name, text)
    if parts.get("FREQ") not in _FREQUENCIES:
        raise BadRecurrence(f"{name}: FREQ is missing or unknown: {_shown(parts.get('FREQ', ''))}")
    if parts.get("WKST", "MO") not in _WEEKDAYS:
        raise BadRecurrence(f"{name}: WKST is not a weekday: {_shown(parts['WKST'])}")
    until = _parse_moment(f"{name}: UNTIL", parts["UNTIL"]) if "UNTIL" in parts else None
    count = _number(name, "COUNT", parts.get("COUNT", "0"))
    return Rule(
        frequency=_FREQUENCIES[parts["FREQ"]],
        interval=max(1, _number(name, "INTERVAL", parts.get("INTERVAL", "1"))),
        count=count if count > 0 else None,
        until=until if until and until.wall.year < FAR_YEAR else None,
        week_start=_WEEKDAYS[parts.get("WKST", "MO")],
        byday=_parse_weekdays(name, parts.get("BYDAY", "")),
        by=tuple((key.lower(), _parse_numbers(name, key, parts[key])) for key in _NUMBER_LISTS if key in parts),
    )


def _parts_of(name: str, text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in filter(None, "".join(text.upper().split()).split(";")):
        key, _, value = part.partition("=")
        if key.startswith("X-") or not value.strip(",") or _NEUTRAL_PARTS.get(key) == value:
            continue
        if key not in _OTHER_PARTS and key not in _NUMBER_LISTS:
            raise BadRecurrence(f"{name}: unknown part {_shown(part)}")
        is_list = key == "BYDAY" or key in _NUMBER_LISTS
        parts[key] = f"{parts[key]},{value}" if is_list and key in parts else value
    return parts


def _number(name: str, key: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise BadRecurrence(f"{name}: {key} is not a number: {_shown(text)}")
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
        if not match or abs(ordinal) > 53:
            raise BadRecurrence(f"{name}: BYDAY has a bad weekday: {_shown(item)}")
        found.add((ordinal, _WEEKDAYS[match[2]]))
    return tuple(sorted(found))


def _parse_date(name: str, item: str, zone_name: str | None) -> Moment:
    # RDATE;VALUE=PERIOD "start/end" or "start/duration": only the start identifies the occurrence.
    moment = _parse_moment(name, item.partition("/")[0], zone_name)
    if moment.wall.year >= FAR_YEAR:
        raise BadRecurrence(f"{name}: date is out of range: {_shown(item)}")
    return moment


def _parse_moment(name: str, text: str, zone_name: str | None = None) -> Moment:
    match = _MOMENT.fullmatch(text)
    try:
        if not match:
            raise ValueError
        # `strptime` took ten times as long, which twenty thousand dates of one series are enough to feel.
        wall = dt.datetime(*_numbers_in(match[1] + (match[2] or "000000")))  # noqa: DTZ001 - naive by design
    except ValueError:
        raise BadRecurrence(f"{name} is not a date or date-time: {_shown(text)}") from None
    if wall.year < 2:  # no room below for a zone's offset
        raise BadRecurrence(f"{name}: date is out of range: {_shown(text)}")
    return Moment(wall, is_date=not match[2], is_utc=bool(match[2] and match[3]), zone_name=zone_name)


def _numbers_in(digits: str) -> tuple[int, int, int, int, int, int]:
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    return year, month, day, int(digits[8:10]), int(digits[10:12]), int(digits[12:])


def _items(text: str) -> Iterable[str]:
    return filter(None, text.split(","))


def _shown(text: str) -> str:
    """A hostile line must not fill a log."""
    return repr(text[:40])
