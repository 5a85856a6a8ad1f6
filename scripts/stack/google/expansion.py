"""Which occurrences a series has: the oracle the service's own expansion is compared with.

Owns RRULE, RDATE, EXRULE and EXDATE as Google reads them: wall-clock time is kept in the event's own IANA zone, a time
that a DST change skips moves forward, an ambiguous one is the first. Durations are exact (RFC 5545 section 3.8.5.3).
A start that its rules do not match is an instance all the same, and not counted in COUNT, unless all rules ended before
it (googleapis/google-api-nodejs-client#2214). Deliberately simple, and independent of the service: dateutil on naive
local time, nothing from `sync`.
Refuses (ValueError) lines Google would not store. Knows nothing of exceptions: listing.py applies them.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

# With one of these beside it, BYMONTHDAY of a yearly rule says in which months by itself.
OTHER_DAY_PARTS = ("BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYDAY")
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
Lines = tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What reports of Google disagree with RFC 5545 about; the defaults are Google as reported."""

    yearly_month_day_in_start_month: bool = True
    date_exdate_removes_day: bool = False


@dataclass(frozen=True)
class Slot:
    """One occurrence by the rule: its id suffix, its start as an instant, and Google's start and end objects."""

    stamp: str
    instant: datetime
    start: dict[str, str]
    end: dict[str, str]


def instant_of(point: dict[str, Any], zone: tzinfo) -> datetime:
    """The UTC instant of a start or end object; a date is midnight in `zone` (the calendar's)."""
    if "date" in point:
        return datetime.combine(datetime.fromisoformat(point["date"]), time(), zone).astimezone(UTC)
    return datetime.fromisoformat(point["dateTime"]).astimezone(UTC)


def slots(
    master: dict[str, Any],
    zone: tzinfo,
    until: datetime,
    reading: Reading = Reading(),
) -> Iterator[Slot]:
    """The occurrences that start before `until`, ascending; `zone` is the calendar's, for all-day series."""
    series = Series(master, zone, reading)
    for local in series.local_starts(until):
        slot = series.slot(local)
        if slot.instant >= until:
            return
        yield slot


def slot_by_stamp(
    master: dict[str, Any],
    zone: tzinfo,
    stamp: str,
    reading: Reading = Reading(),
) -> Slot | None:
    """The occurrence with this id suffix, if the rule makes it."""
    all_day = "date" in master["start"]
    if not re.fullmatch(r"\d{8}" if all_day else r"\d{8}T\d{6}Z", stamp):
        return None
    try:
        moment = datetime.strptime(stamp, "%Y%m%d" if all_day else "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    bound = moment + timedelta(days=2)
    return next((slot for slot in slots(master, zone, bound, reading) if slot.stamp == stamp), None)


def check(recurrence: list[str], start: dict[str, Any]) -> None:
    """ValueError for a recurrence Google would refuse."""
    if not recurrence or not all(isinstance(line, str) for line in recurrence):
        raise ValueError("recurrence is a list of lines")
    probe = {"start": start, "end": start, "recurrence": recurrence}
    series = Series(probe, UTC)
    # The bound keeps a rule of exceptions without an end from being expanded to the end of time.
    next(series.local_starts(series.first.replace(tzinfo=UTC)), None)


class Series:
    """One series read: its zone, first start, duration and recurrence lines."""

    def __init__(
        self,
        master: dict[str, Any],
        calendar_zone: tzinfo,
        reading: Reading = Reading(),
    ) -> None:
        start, end = master["start"], master["end"]
        self.all_day = "date" in start
        self.zone_name = start.get("timeZone")
        self.end_zone_name = end.get("timeZone", self.zone_name)
        self.zone: tzinfo = calendar_zone if self.all_day else _zone(self.zone_name, calendar_zone)
        self.duration = instant_of(end, UTC) - instant_of(start, UTC)
        if self.all_day:
            self.first = datetime.fromisoformat(start["date"])
        else:
            self.first = datetime.fromisoformat(start["dateTime"]).astimezone(self.zone).replace(tzinfo=None)
        self.reading = reading
        self.lines: Lines = tuple(master["recurrence"])

    def instant(self, local: datetime) -> datetime:
        # fold=0: a skipped time takes the offset before the change (moves forward), an ambiguous one is the first.
        return local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def local_starts(self, until: datetime) -> Iterator[datetime]:
        included: list[Iterator[datetime]] = []
        excluded: set[datetime] = set()
        days_off: set[date] = set()
        rules: list[str] = []
        for line in self.lines:
            name, parameters, value = split_line(line)
            if name == "RRULE":
                rules.append(value)
                included.append(self.rule(value))
            elif name == "EXRULE":
                limit = until.replace(tzinfo=None)
                excluded.update(
                    _take_while(self.rule(value), limit + timedelta(days=2) if limit.year < 9999 else limit)
                )
            elif name == "RDATE":
                included.append(iter(sorted(self.dates(parameters, value))))
            elif self.all_day or not _is_of_dates(value):
                excluded.update(self.dates(parameters, value))
            elif self.reading.date_exdate_removes_day:
                days_off.update(moment.date() for moment in self.dates(parameters, value))
        if not rules or any(self._is_running(rule) for rule in rules):
            included.append(iter([self.first]))
        previous = None
        for local in heapq.merge(*included):
            if local != previous and local not in excluded and local.date() not in days_off:
                yield local
            previous = local

    def rule(self, value: str) -> Iterator[datetime]:
        parts = dict(part.split("=", 1) for part in value.upper().split(";") if "=" in part)
        if parts.get("FREQ") not in FREQUENCIES or ("COUNT" in parts and "UNTIL" in parts):
            raise ValueError(f"rule not supported: {value}")
        until = parts.pop("UNTIL", None)
        is_by_month_day = parts["FREQ"] == "YEARLY" and "BYMONTHDAY" in parts and not parts.keys() & {*OTHER_DAY_PARTS}
        if is_by_month_day and self.reading.yearly_month_day_in_start_month:
            parts["BYMONTH"] = str(self.first.month)
        rule = _parsed(";".join(f"{key}={item}" for key, item in parts.items()), self.first)
        for local in rule:
            if until and self._is_past(local, until):
                return
            yield local

    def _is_running(self, rule: str) -> bool:
        until = re.search(r"(?:^|;)UNTIL=([^;]+)", rule.upper())
        return until is None or not self._is_past(self.first, until[1])

    def _is_past(self, local: datetime, until: str) -> bool:
        day = _parse(until[:8])
        if self.all_day:
            return local > day
        if len(until) == 8:  # a bare date under a timed series includes that whole local day
            return local >= day + timedelta(days=1)
        bound = _parse(until.removesuffix("Z"))
        return self.instant(local) > bound.replace(tzinfo=UTC) if until.endswith("Z") else local > bound

    def dates(self, parameters: dict[str, str], value: str) -> list[datetime]:
        if parameters.get("VALUE") == "PERIOD":
            raise ValueError("periods are not supported")
        return [self._date(parameters, item.strip()) for item in value.split(",")]

    def _date(self, parameters: dict[str, str], item: str) -> datetime:
        moment = _parse(item.removesuffix("Z"))
        if self.all_day:
            return datetime.combine(moment, time())
        if item.endswith("Z"):
            return moment.replace(tzinfo=UTC).astimezone(self.zone).replace(tzinfo=None)
        if "TZID" in parameters:
            there = moment.replace(tzinfo=_zone(parameters["TZID"], self.zone))
            return there.astimezone(self.zone).replace(tzinfo=None)
        return moment

    def slot(self, local: datetime) -> Slot:
        instant = self.instant(local)
        if self.all_day:
            end = {"date": (local + self.duration).date().isoformat()}
            return Slot(local.strftime("%Y%m%d"), instant, {"date": local.date().isoformat()}, end)
        start = _point(instant, self.zone, self.zone_name)
        end = _point(instant + self.duration, _zone(self.end_zone_name, self.zone), self.end_zone_name)
        return Slot(instant.strftime("%Y%m%dT%H%M%SZ"), instant, start, end)


def split_line(line: str) -> tuple[str, dict[str, str], str]:
    head, colon, value = line.partition(":")
    name, *parameters = head.split(";")
    if name.upper() not in ("RRULE", "EXRULE", "RDATE", "EXDATE") or not colon or not value:
        raise ValueError(f"not a recurrence line: {line}")
    return name.upper(), dict(part.split("=", 1) for part in parameters if "=" in part), value


def _is_of_dates(value: str) -> bool:
    return all(len(item.strip()) == 8 for item in value.split(","))


@lru_cache(maxsize=4096)
def _parsed(rule: str, first: datetime) -> rrule:
    parsed = rrulestr(rule, dtstart=first)
    if not isinstance(parsed, rrule):
        raise ValueError(f"not one rule: {rule}")
    return parsed


def _parse(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d" if len(text) == 8 else "%Y%m%dT%H%M%S")  # noqa: DTZ007 - local time


def _take_while(starts: Iterator[datetime], limit: datetime) -> Iterator[datetime]:
    for local in starts:
        if local > limit:
            return
        yield local


def _zone(name: str | None, default: tzinfo) -> tzinfo:
    return ZoneInfo(name) if name else default


def _point(instant: datetime, zone: tzinfo, name: str | None) -> dict[str, str]:
    return {"dateTime": instant.astimezone(zone).isoformat()} | ({"timeZone": name} if name else {})
