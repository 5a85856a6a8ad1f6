"""Deriving the meetings that an event family comes to. Pure.

Called by `parts` for what a sync touched and for what the rolling horizon reaches, and by `explain`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from sync.core.meetings.meeting_rules import Verdict, decide_meeting, is_organiser, others_of, own_answer, title_of
from sync.core.meetings.privacy import is_private
from sync.core.series.event_spans import duration_of, end_of, start_of
from sync.core.series.instance_ids import instance_id
from sync.core.series.recurrence import BadRecurrence, expand
from sync.model import Derived, Event, EventTime, Meeting, Window
from sync.states import EventKind, Placement

# How often a series too frequent for all of its history is expanded from a later time. Evenly spread ones need two.
HISTORY_TRIES = 3


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
    to the horizon's end. The horizon comes first: what is over takes nothing of the limit on what is ahead.
    `calendar_zone` places all-day events.
    """
    found = _occurrences(members, horizon, min(expand_from, horizon.start), calendar_zone)
    withheld = found.withheld
    meetings = []
    # Once for an event: of a series one text stands for thousands of occurrences, and is searched for links.
    verdicts: dict[int, Verdict] = {}
    for occurrence_id, slot in found.slots.items():
        verdict = verdicts.get(id(slot.event))
        if verdict is None:
            verdict = verdicts[id(slot.event)] = decide_meeting(slot.event)
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
                is_private=is_private(slot.event.details),
                is_organiser=is_organiser(slot.event),
                other_attendees=others_of(slot.event).count,
                has_outsiders=others_of(slot.event).outside,
            )
        )
    covered_from = max(found.covered_from, default=None)
    return Derived(tuple(meetings), withheld, tuple(sorted(found.cut)), covered_from)


@dataclass(slots=True)
class _Found:
    """The occurrences of a family by their ids, and what stood in the way of others."""

    slots: dict[str, _Slot] = field(default_factory=dict)
    withheld: dict[str, str] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    covered_from: list[dt.datetime] = field(default_factory=list)


def _occurrences(members: Sequence[Event], horizon: Window, expand_from: dt.datetime, calendar_zone: str) -> _Found:
    found = _Found()
    series = {event.id: event for event in members if is_series(event)}
    # A series split off an earlier one has the same instance ids: where both produce one, the later series has it.
    for master in sorted(series.values(), key=lambda event: (_sort_key(event.start, calendar_zone), event.id)):
        try:
            _expand(master, horizon, expand_from, calendar_zone, found)
        except BadRecurrence:
            found.withheld[master.id] = "bad_recurrence"
    for event in members:
        if event.kind is EventKind.SINGLE and event.is_live:
            if event.start and event.end:
                found.slots[event.id] = _Slot(event, event.start, event.end, None)
            else:
                found.withheld[event.id] = "no_time"
    for event in members:
        if event.kind is EventKind.EXCEPTION:
            _apply_exception(event, found.slots)
    return found


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


def _expand(master: Event, horizon: Window, expand_from: dt.datetime, calendar_zone: str, found: _Found) -> None:
    if master.start is None:
        raise BadRecurrence("a series without a start")
    duration = duration_of(master)
    ahead = expand(master.start, master.recurrence, horizon, duration, calendar_zone)
    behind, covered_from = _history(master, Window(expand_from, horizon.start), calendar_zone)
    for start in (*behind, *ahead.starts):
        slot = _Slot(master, start, _shifted(start, duration), master.id)
        found.slots[instance_id(master.base_id, start)] = slot
    if ahead.is_cut:
        found.cut.append(master.id)
    if covered_from:
        found.covered_from.append(covered_from)


def _history(master: Event, window: Window, calendar_zone: str) -> tuple[list[EventTime], dt.datetime | None]:
    """The occurrences of a window that ends where the horizon begins; where they are too many, the last of them, and
    since when they are all."""
    if master.start is None or window.start >= window.end:
        return [], None
    since = window.start
    for _ in range(HISTORY_TRIES):
        found = expand(master.start, master.recurrence, Window(since, window.end), duration_of(master), calendar_zone)
        if not found.is_cut:
            return found.starts, since if since > window.start else None
        # As much time as the limit's worth took, and half of that to be sure.
        reached = start_of(found.starts[-1], calendar_zone) if found.starts else window.end
        since = max(since, window.end - max(reached - since, dt.timedelta(0)) / 2)
    return [], window.end


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
