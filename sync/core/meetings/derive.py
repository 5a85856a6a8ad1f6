"""Deriving the meetings that an event family comes to. Pure.

Called by `parts` for what a sync touched and for what the rolling horizon reaches, and by `explain`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sync.core.meetings.meeting_rules import decide_meeting, own_answer, title_of
from sync.core.series.event_spans import duration_of, end_of, start_of
from sync.core.series.instance_ids import instance_id
from sync.core.series.recurrence import BadRecurrence, occurrence_starts
from sync.model import Derived, Event, EventTime, Meeting, Window
from sync.states import EventKind, Placement


@dataclass(frozen=True, slots=True)
class _Slot:
    """One occurrence: the item that describes it, its own times, and the series that put it there (if any did)."""

    event: Event
    start: EventTime
    end: EventTime
    series_id: str | None


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
    series = {event.id: event for event in members if is_series(event)}
    # A series split off an earlier one has the same instance ids: where both produce one, the later series has it.
    for master in sorted(series.values(), key=lambda event: (_sort_key(event.start, calendar_zone), event.id)):
        try:
            slots.update(_expand(master, window, calendar_zone))
        except BadRecurrence:
            withheld[master.id] = "bad_recurrence"
    for event in members:
        if event.kind is EventKind.SINGLE and event.is_live:
            if event.start and event.end:
                slots[event.id] = _Slot(event, event.start, event.end, None)
            else:
                withheld[event.id] = "no_time"
    for event in members:
        if event.kind is EventKind.EXCEPTION:
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
    duration = duration_of(master)
    starts = occurrence_starts(master.start, master.recurrence, window, duration, calendar_zone)
    return {
        instance_id(master.base_id, start): _Slot(master, start, _shifted(start, duration), master.id)
        for start in starts
    }


def is_series(event: Event) -> bool:
    """Whether the event is a live series master."""
    return event.kind is EventKind.SERIES and event.is_live


def _shifted(start: EventTime, duration: dt.timedelta) -> EventTime:
    if start.date is not None:
        return EventTime(date=start.date + duration)
    if start.at is None:
        raise ValueError("an occurrence has neither date nor time")
    return EventTime(at=start.at + duration, time_zone=start.time_zone)


def _sort_key(time: EventTime | None, calendar_zone: str) -> dt.datetime:
    return start_of(time, calendar_zone) if time else dt.datetime.min.replace(tzinfo=dt.UTC)


def _placement(start: dt.datetime, end: dt.datetime, horizon: Window) -> Placement:
    if start >= horizon.end:
        return Placement.BEYOND
    # An event without length ends where it starts; it is over once that has passed.
    return Placement.INSIDE if end > horizon.start or start >= horizon.start else Placement.BEFORE
