"""Event families: merging a delta into what the mirror holds, and deriving the meetings they come to. Pure.

A family is all that shares a namespace of instance ids: a single event alone, or a series with the series split off it
and all their exceptions. It is the unit of change: a delta that names one of its items has the whole family derived
anew, so no order of items, pages or deltas matters. Called by the sync (deltas, full lists) and the horizon's roll.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from sync.core.instance_ids import instance_id
from sync.core.meeting_rules import decide_meeting, own_answer, title_of
from sync.core.recurrence import BadRecurrence, last_possible_end, occurrence_starts
from sync.model import Derived, Event, EventTime, Meeting, MirrorRow, Window

# As in `recurrence`: about a thousand years, so that no occurrence's end overflows.
_LONGEST = dt.timedelta(days=365_000)


@dataclass(frozen=True, slots=True)
class Merged:
    """Families after a delta. `changed`: mirror rows to write. `forgotten`: ids whose rows have no meaning any more."""

    families: Mapping[str, tuple[Event, ...]]
    changed: tuple[Event, ...]
    forgotten: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Slot:
    """One occurrence: the item that describes it, its own times, and the series that put it there (if any did)."""

    event: Event
    start: EventTime
    end: EventTime
    series_id: str | None


def by_family(events: Iterable[Event]) -> dict[str, tuple[Event, ...]]:
    """Events grouped by base id."""
    families: dict[str, list[Event]] = {}
    for event in events:
        families.setdefault(event.base_id, []).append(event)
    return {base_id: tuple(members) for base_id, members in families.items()}


def merge(stored: Iterable[Event], delta: Sequence[Event], calendar_zone: str) -> Merged:
    """The touched families as they are now. `stored`: their mirror rows; `delta`: items in the order listed.

    A series that ended takes its exceptions with it, and one whose rule or start changed those it no longer makes:
    Google may list them as cancelled, or not at all. An instance that was cancelled by itself stays so if its series
    comes back.
    """
    before = {event.id: event for event in stored}
    latest = {event.id: _as_known(event, before.get(event.id)) for event in delta}
    forgotten = {
        event.id
        for event in before.values()
        if event.kind == "exception"
        and event.is_live
        and event.id not in latest
        and _loses_its_place(event, before.get(event.series_id or ""), latest.get(event.series_id or ""), calendar_zone)
    }
    ended = {event.id: event for event in latest.values() if event.kind != "exception" and not _is_series(event)}
    for event in latest.values():
        if event.kind == "exception" and event.series_id in ended and not _outlives(event, ended[event.series_id]):
            forgotten.add(event.id)
    items = before | latest
    families = by_family(event for event_id, event in items.items() if event_id not in forgotten)
    for event in latest.values():
        families.setdefault(event.base_id, ())
    changed = tuple(event for event in latest.values() if event.id not in forgotten)
    return Merged(families, changed, tuple(sorted(forgotten)))


def _as_known(event: Event, known: Event | None) -> Event:
    """A bare tombstone {id, status} of an exception whose id does not tell its series (Google calls ids opaque):
    linked by what the mirror holds of it."""
    if event.is_live or event.kind == "exception" or known is None or known.kind != "exception":
        return event
    link = {name: known.details[name] for name in ("recurringEventId", "originalStartTime") if name in known.details}
    return replace(
        event,
        base_id=known.base_id,
        kind=known.kind,
        series_id=known.series_id,
        original_start=known.original_start,
        details={**event.details, **link},
    )


def _is_series(event: Event) -> bool:
    return event.kind == "series" and event.is_live


def _loses_its_place(exception: Event, old: Event | None, new: Event | None, calendar_zone: str) -> bool:
    """Whether a delta that has the exception's series (`old` before, `new` now) leaves no occurrence for it."""
    if new is None or new.kind == "exception":
        return False
    if not _is_series(new):
        return True
    # What the series never made (imported so, or the only instance one was invited to) does not depend on its rule.
    if old is None or (old.start, old.recurrence) == (new.start, new.recurrence):
        return False
    try:
        return _makes(old, exception, calendar_zone) and not _makes(new, exception, calendar_zone)
    except BadRecurrence:
        return False


def _makes(series: Event, exception: Event, calendar_zone: str) -> bool:
    """Whether the occurrence that the exception stands for is one of the series. Raises BadRecurrence."""
    if not _is_series(series) or series.start is None or exception.original_start is None:
        return False
    at = start_of(exception.original_start, calendar_zone)
    moment = Window(at, at + dt.timedelta(seconds=1))
    starts = occurrence_starts(series.start, series.recurrence, moment, dt.timedelta(0), calendar_zone)
    wanted = instance_id(series.base_id, exception.original_start)
    return any(instance_id(series.base_id, start) == wanted for start in starts)


def _outlives(exception: Event, end_of_series: Event) -> bool:
    """Whether an exception stays when its series is deleted: only if it was touched later (a guest of one instance)."""
    if not exception.is_live or end_of_series.is_live:
        return False
    if exception.updated_at is None or end_of_series.updated_at is None:
        return False
    return exception.updated_at > end_of_series.updated_at


def can_still_matter(event: Event, horizon_start: dt.datetime, calendar_zone: str) -> bool:
    """Whether a full sync keeps an item: series that go on, all exceptions, singles that are not over."""
    if event.kind == "exception":
        return True
    if not event.is_live or event.start is None or event.end is None:
        return False
    if event.kind == "single":
        return end_of(event.end, calendar_zone) > horizon_start
    try:
        last = last_possible_end(event.start, event.recurrence, _duration(event), calendar_zone)
    except BadRecurrence:
        return True
    return last is None or last > horizon_start


def mirror_row(event: Event, calendar_zone: str) -> MirrorRow:
    """The event as the mirror stores it. `recurs_until` is set for series that end, and for nothing else."""
    until = None
    if event.kind == "series" and event.start:
        try:
            until = last_possible_end(event.start, event.recurrence, _duration(event), calendar_zone)
        except BadRecurrence:
            until = None
    return MirrorRow(
        google_event_id=event.id,
        base_event_id=event.base_id,
        recurring_event_id=event.series_id,
        kind=event.kind,
        status=event.status,
        starts_at=start_of(event.start, calendar_zone) if event.start else None,
        ends_at=end_of(event.end, calendar_zone) if event.end else None,
        original_start_at=start_of(event.original_start, calendar_zone) if event.original_start else None,
        recurs_until=until,
        google_updated_at=event.updated_at,
        details=event.details,
    )


def derive(members: Sequence[Event], horizon: Window, expand_from: dt.datetime, calendar_zone: str) -> Derived:
    """All meetings of one family.

    Series are expanded from `expand_from` (at or before the horizon's start: as far back as rows of history exist)
    to the horizon's end. `calendar_zone` places all-day events.
    """
    slots, withheld = _occurrences(members, Window(min(expand_from, horizon.start), horizon.end), calendar_zone)
    meetings = []
    for occurrence_id, slot in slots.items():
        verdict = decide_meeting(slot.event)
        if verdict.link is None:
            withheld[occurrence_id] = verdict.reason
            continue
        start, end = start_of(slot.start, calendar_zone), end_of(slot.end, calendar_zone)
        meetings.append(
            Meeting(
                google_calendar_event_id=occurrence_id,
                base_event_id=slot.event.base_id,
                title=title_of(slot.event),
                description=slot.event.details.get("description"),
                meeting_url=verdict.link.url,
                start_time=start,
                end_time=end,
                event_status=own_answer(slot.event),
                status=slot.event.status,
                is_all_day=slot.start.is_all_day,
                time_zone=slot.start.time_zone or calendar_zone,
                provider=verdict.link.provider,
                room_key=verdict.link.room_key,
                placement=_placement(start, end, horizon),
            )
        )
    return Derived(tuple(meetings), withheld)


def _occurrences(
    members: Sequence[Event], window: Window, calendar_zone: str
) -> tuple[dict[str, _Slot], dict[str, str]]:
    slots: dict[str, _Slot] = {}
    withheld: dict[str, str] = {}
    series = {event.id: event for event in members if _is_series(event)}
    # A series split off an earlier one has the same instance ids: where both produce one, the later series has it.
    for master in sorted(series.values(), key=lambda event: (_sort_key(event.start, calendar_zone), event.id)):
        try:
            slots.update(_expand(master, window, calendar_zone))
        except BadRecurrence:
            withheld[master.id] = "bad_recurrence"
    for event in members:
        if event.kind == "single" and event.is_live:
            if event.start and event.end:
                slots[event.id] = _Slot(event, event.start, event.end, None)
            else:
                withheld[event.id] = "no_time"
    for event in members:
        if event.kind == "exception":
            _apply_exception(event, slots)
    return slots, withheld


def _apply_exception(event: Event, slots: dict[str, _Slot]) -> None:
    key = instance_id(event.base_id, event.original_start) if event.original_start else event.id
    generated = slots.get(key)
    named = event.details.get("recurringEventId")
    # An exception of the truncated series does not reach into the series that was split off: same id, other series.
    # Also if the truncated series is unknown: a full sync drops it once it is over, and must come to the same.
    if generated and named and generated.series_id not in (None, named):
        return
    if not event.is_live:
        slots.pop(key, None)
    elif event.start and event.end:
        slots[key] = _Slot(event, event.start, event.end, event.series_id)


def _expand(master: Event, window: Window, calendar_zone: str) -> dict[str, _Slot]:
    if master.start is None:
        raise BadRecurrence("a series without a start")
    duration = _duration(master)
    starts = occurrence_starts(master.start, master.recurrence, window, duration, calendar_zone)
    return {
        instance_id(master.base_id, start): _Slot(master, start, _shifted(start, duration), master.id)
        for start in starts
    }


def _duration(event: Event) -> dt.timedelta:
    """Exact duration (RFC 5545 3.8.5.3: an occurrence lasts as long as the first, whatever the clocks do)."""
    if event.start is None or event.end is None:
        return dt.timedelta(0)
    duration = dt.timedelta(0)
    if event.start.date is not None and event.end.date is not None:
        duration = event.end.date - event.start.date
    if event.start.at is not None and event.end.at is not None:
        duration = event.end.at - event.start.at
    return min(max(duration, dt.timedelta(0)), _LONGEST)


def _shifted(start: EventTime, duration: dt.timedelta) -> EventTime:
    if start.date is not None:
        return EventTime(date=start.date + duration)
    if start.at is None:
        raise ValueError("an occurrence has neither date nor time")
    return EventTime(at=start.at + duration, time_zone=start.time_zone)


def start_of(time: EventTime, calendar_zone: str) -> dt.datetime:
    """The instant an event begins: an all-day one at its date's midnight in the calendar's zone."""
    if time.at is not None:
        return time.at
    if time.date is None:
        raise ValueError("an event time has neither date nor time")
    return dt.datetime.combine(time.date, dt.time(), ZoneInfo(calendar_zone)).astimezone(dt.UTC)


# An all-day end date is exclusive, so it is the instant its own midnight names.
end_of = start_of


def _sort_key(time: EventTime | None, calendar_zone: str) -> dt.datetime:
    return start_of(time, calendar_zone) if time else dt.datetime.min.replace(tzinfo=dt.UTC)


def _placement(start: dt.datetime, end: dt.datetime, horizon: Window) -> str:
    if start >= horizon.end:
        return "beyond"
    # An event without length ends where it starts; it is over once that has passed.
    return "inside" if end > horizon.start or start >= horizon.start else "before"
