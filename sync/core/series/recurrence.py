"""Turns a Google series master into its occurrences inside a window, and maps them to Google's instance ids.

Owns UNTIL, RDATE, EXDATE, the window and the meaning of DTSTART; `rrule_text` reads the lines, `rrule_walk` does the
arithmetic, `local_time` knows the zones, `instance_ids` the ids (offered here too). Refuses a series without a usable
start (`BadRecurrence`); lines that cannot be read are set aside (`unread_lines`). Knows no exceptions: callers replace
or drop occurrences by their original start. Called by `core/meetings`. Pure.

Decisions, with sources:
- DTSTART is always an instance, and an extra one, not counted in COUNT, if the rule does not match it. RFC 5545 3.8.5.3
  leaves that undefined; Google shows COUNT + 1 (googleapis/google-api-nodejs-client#2214, fmeringdal/rust-rrule#119),
  as does recurring_ical_events. Only if all rules ended before DTSTART there is none (sabre-io/vobject#371); a line
  that was set aside may have been another rule, so then DTSTART stays.
- A missing local time moves forward by the gap, a doubled one is the first (RFC 5545 3.3.5); Google shows the moved one
  (mangstadt/biweekly#38) although 3.3.10 would drop it.
- Date-only UNTIL covers the whole local day: Google writes it for timed series (dateutil/dateutil#938).
- An EXDATE of a date does not touch a timed series: Google shows the occurrence all the same. RFC 5545 3.8.5.1 wants
  both of one type.
- UNTIL with a time on an all-day series, which Google exports (allenporter/ical#177), means the date in its digits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sync.core.series.instance_ids import base_event_id, instance_id, parse_instance_id
from sync.core.series.local_time import Zone, find_zone, instant, offsets_around, wall_at, walls_around, zone_name
from sync.core.series.rrule_text import FAR_YEAR, BadRecurrence, Moment, Rule, UnreadLine, parse_recurrence
from sync.core.series.rrule_walk import WalkCut, last_of_count, walk
from sync.model import EventTime, Window

__all__ = [
    "MAX_OCCURRENCES",
    "BadRecurrence",
    "Expansion",
    "base_event_id",
    "expand",
    "instance_id",
    "next_start",
    "occurrence_starts",
    "parse_instance_id",
    "unread_lines",
]

# Occurrences a series may put into one window; the earliest win. Every 10 minutes for the 60-day horizon is 8,640.
MAX_OCCURRENCES = 10_000

# How far ahead the next occurrence is looked for at once. Rarer ones (the 29th of February) are looked for again then.
LOOK_AHEAD = dt.timedelta(days=400)

# About a thousand years: longer than any window reaches, short enough that no sum overflows.
_LONGEST = dt.timedelta(days=365_000)


@dataclass(frozen=True, slots=True)
class Expansion:
    """The original starts of occurrences, sorted and unique. `is_cut`: a limit ended the search, so there may be
    more."""

    starts: list[EventTime]
    is_cut: bool


def occurrence_starts(
    start: EventTime,
    recurrence: Sequence[str],
    window: Window,
    duration: dt.timedelta,
    calendar_zone: str,
) -> list[EventTime]:
    """What `expand` finds."""
    return expand(start, recurrence, window, duration, calendar_zone).starts


def expand(
    start: EventTime,
    recurrence: Sequence[str],
    window: Window,
    duration: dt.timedelta,
    calendar_zone: str,
) -> Expansion:
    """The original starts of all occurrences which overlap the window, the first MAX_OCCURRENCES of them.

    An occurrence overlaps if it starts before the window's end and ends after its start; one without length, if it
    starts inside. Timed starts carry the zone they were expanded in. RDATE periods keep the series' `duration`.
    Raises `BadRecurrence` for a start that cannot be used.
    """
    series = _Series.of(start, duration, calendar_zone)
    parsed = parse_recurrence(recurrence)
    low, high = series.span_of(window)
    found = {slot.key: slot for slot in map(series.slot_of, parsed.dates)}
    if parsed.may_hold_more or not _ended_before(series, parsed.rules):
        found.setdefault(series.first.key, series.first)
    is_cut = False
    for rule in parsed.rules:
        slots, was_cut = _rule_slots(series, rule, low, high)
        found.update((slot.key, slot) for slot in slots)
        is_cut |= was_cut
    keys = {series.slot_of(moment).key for moment in parsed.exclusion_dates if series.all_day or not moment.is_date}
    keys.update(slot.key for rule in parsed.exclusion_rules for slot in _rule_slots(series, rule, low, high)[0])
    starts = [
        series.event_time(slot)
        for key, slot in sorted(found.items())
        if key not in keys and series.overlaps(slot, window)
    ]
    return Expansion(starts[:MAX_OCCURRENCES], is_cut or len(starts) > MAX_OCCURRENCES)


def next_start(
    start: EventTime, recurrence: Sequence[str], after: dt.datetime, calendar_zone: str
) -> dt.datetime | None:
    """No occurrence that starts at or after an instant starts before this; None: there is none.

    Exact but where clocks change, for a rule that is rarer than LOOK_AHEAD, and for one too dear to be walked: then it
    is earlier, at worst `after` itself. EXRULE is not looked at. Raises `BadRecurrence`.
    """
    series = _Series.of(start, dt.timedelta(0), calendar_zone)
    parsed = parse_recurrence(recurrence)
    excluded = {series.slot_of(moment).key for moment in parsed.exclusion_dates if series.all_day or not moment.is_date}
    single = [slot for slot in (series.first, *map(series.slot_of, parsed.dates)) if slot.key not in excluded]
    found = [slot.at for slot in single if slot.at >= after]
    for rule in parsed.rules:
        at = _next_of_rule(series, rule, after, excluded)
        if at is not None:
            found.append(max(at, after))
    return min(found, default=None)


def unread_lines(recurrence: Sequence[str]) -> tuple[UnreadLine, ...]:
    """The lines of a series that were set aside, each with its problem."""
    return parse_recurrence(recurrence).unread


class _Slot(NamedTuple):
    """One occurrence: its instant, and the local time it stands for (they disagree inside a spring-forward gap)."""

    at: dt.datetime
    wall: dt.datetime
    key: dt.datetime  # what makes it unique: the instant, or all-day the date


@dataclass(frozen=True, slots=True)
class _Series:
    """The fixed facts of one series. `zone` is what it repeats in: the event's own, or all-day the calendar's."""

    first: _Slot
    duration: dt.timedelta
    zone: Zone
    all_day: bool

    @classmethod
    def of(cls, start: EventTime, duration: dt.timedelta, calendar_zone: str) -> _Series:
        zone: Zone = find_zone(calendar_zone) or ZoneInfo("UTC")
        duration = min(max(duration, dt.timedelta(0)), _LONGEST)
        if start.date is not None:
            _check_year(start.date.year)
            wall = dt.datetime.combine(start.date, dt.time())
            return cls(_Slot(instant(wall, zone), wall, wall), duration, zone, all_day=True)
        if start.at is None:
            raise BadRecurrence("the series has no start")
        _check_year(start.at.year)
        zone = find_zone(start.time_zone) or zone
        at = start.at.astimezone(dt.UTC).replace(microsecond=0)  # rules have no finer unit
        return cls(_Slot(at, wall_at(at, zone), at), duration, zone, all_day=False)

    def slot(self, wall: dt.datetime) -> _Slot:
        if self.all_day:
            wall = dt.datetime.combine(wall.date(), dt.time())
            return _Slot(instant(wall, self.zone), wall, wall)
        # DTSTART may be the second of a doubled local time; then its own instant counts, not the first.
        at = self.first.at if wall == self.first.wall else instant(wall, self.zone)
        return _Slot(at, wall, at)

    def slot_of(self, moment: Moment) -> _Slot:
        """Where an RDATE or EXDATE falls. A DATE on a timed series takes the series' time of day."""
        own_zone = ZoneInfo("UTC") if moment.is_utc else find_zone(moment.zone_name)
        if self.all_day:
            local = moment.wall
            if own_zone and not moment.is_date:
                local = wall_at(instant(moment.wall, own_zone), self.zone)
            # Midnight here, written as another zone's time, is that date; any other time just decorates its digits.
            return self.slot(local if local.time() == dt.time() else moment.wall)
        if moment.is_date:
            return self.slot(dt.datetime.combine(moment.wall.date(), self.first.wall.time()))
        if own_zone is None or own_zone == self.zone:
            return self.slot(moment.wall)
        at = instant(moment.wall, own_zone)
        return _Slot(at, wall_at(at, self.zone), at)

    def span_of(self, window: Window) -> tuple[dt.datetime, dt.datetime]:
        """Local times between which every overlapping occurrence lies: tight, but for changes of offset nearby."""
        low, _ = walls_around(window.start, self.zone)
        low_by_instant, _ = walls_around(window.start - self.duration, self.zone)
        _, high = walls_around(window.end, self.zone)
        return min(low - self.duration, low_by_instant), high

    def end(self, slot: _Slot) -> dt.datetime:
        # All-day lengths are days of the calendar, 23 to 25 hours long; timed ones are exact (RFC 5545 3.8.5.3).
        return instant(slot.wall + self.duration, self.zone) if self.all_day else slot.at + self.duration

    def earliest_start(self, wall: dt.datetime) -> dt.datetime:
        """No occurrence from `wall` on starts before: near a gap, instants run out of order with local times."""
        at = self.slot(wall).at
        return min(at, wall.replace(tzinfo=dt.UTC) - offsets_around(at, self.zone)[1])

    def overlaps(self, slot: _Slot, window: Window) -> bool:
        if not self.duration:
            return window.start <= slot.at < window.end
        return slot.at < window.end and self.end(slot) > window.start

    def event_time(self, slot: _Slot) -> EventTime:
        if self.all_day:
            return EventTime(date=slot.wall.date())
        return EventTime(at=slot.at, time_zone=zone_name(self.zone))


def _rule_slots(series: _Series, rule: Rule, low: dt.datetime, high: dt.datetime) -> tuple[list[_Slot], bool]:
    """The rule's occurrences between two local times, and whether a limit cut them."""
    last = _last_wall(series, rule)
    high = high if last is None else min(high, last)
    rule = _without_times(rule) if series.all_day else rule
    slots: list[_Slot] = []
    try:
        for wall in walk(rule, series.first.wall, low, high):
            if len(slots) >= MAX_OCCURRENCES:
                return slots, True
            slot = series.slot(wall)
            if _within_until(series, rule, slot):
                slots.append(slot)
    except WalkCut:
        return slots, True
    return slots, False


def _next_of_rule(series: _Series, rule: Rule, after: dt.datetime, excluded: Set[dt.datetime]) -> dt.datetime | None:
    """As `next_start`, for one rule; it may lie before `after`."""
    low, _ = walls_around(after, series.zone)
    last = _last_wall(series, rule)
    if last is not None and last < low:
        return None
    far = max(low, series.first.wall) + LOOK_AHEAD
    rule = _without_times(rule) if series.all_day else rule
    try:
        for wall in walk(rule, series.first.wall, low, far if last is None else min(far, last)):
            slot = series.slot(wall)
            if slot.at >= after and _within_until(series, rule, slot) and slot.key not in excluded:
                return series.earliest_start(wall)
    except WalkCut:
        return after
    return series.earliest_start(far) if last is None or last > far else None


def _last_wall(series: _Series, rule: Rule) -> dt.datetime | None:
    """No occurrence of the rule has a later local time than this. RFC 5545 forbids COUNT with UNTIL; both then bind."""
    counted = last_of_count(_without_times(rule) if series.all_day else rule, series.first.wall)
    until = _until_wall(series, rule.until) if rule.until else None
    return min((bound for bound in (counted, until) if bound), default=None)


def _until_wall(series: _Series, until: Moment) -> dt.datetime:
    if until.is_date or series.all_day:
        return dt.datetime.combine(until.wall.date(), dt.time.max)
    return walls_around(until.wall.replace(tzinfo=dt.UTC), series.zone)[1] if until.is_utc else until.wall


def _within_until(series: _Series, rule: Rule, slot: _Slot) -> bool:
    if rule.until and rule.until.is_utc and not series.all_day:
        return slot.at <= rule.until.wall.replace(tzinfo=dt.UTC)
    return rule.until is None or slot.wall <= _until_wall(series, rule.until)


def _ended_before(series: _Series, rules: Sequence[Rule]) -> bool:
    return bool(rules) and not any(_within_until(series, rule, series.first) for rule in rules)


def _without_times(rule: Rule) -> Rule:
    """BYHOUR, BYMINUTE and BYSECOND must be ignored for all-day series (RFC 5545 3.3.10)."""
    return replace(rule, by=tuple(part for part in rule.by if part[0] not in ("byhour", "byminute", "bysecond")))


def _check_year(year: int) -> None:
    if not 1 < year < FAR_YEAR:  # zones and durations need room around the year
        raise BadRecurrence(f"the series starts in the year {year}")
