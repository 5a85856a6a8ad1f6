"""Google's event JSON → `Event`. Pure. Called by the sync for each listed item and for each mirror row read back.

Owns what of an event is kept (`_KEPT`): the mirror stores Google's own JSON trimmed to that, and translating a trimmed
event gives the same Event again. Refuses nothing: sparse tombstones and events without times come through.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from sync.core.meetings.organisations import organisation_of
from sync.core.series.instance_ids import base_event_id, parse_instance_id
from sync.core.series.local_time import find_zone, instant, zone_name, zone_of_offset
from sync.model import Event, EventTime
from sync.states import Answer, EventKind, EventStatus

# Bumped whenever the list parameters or what is kept change: part of the settings in force, so every calendar is listed
# anew.
SYNC_FORMAT = 3

_TEXTS = (
    "id", "status", "summary", "description", "location", "recurringEventId", "hangoutLink", "eventType", "visibility",
    "updated",
)  # fmt: skip
_TIMES = ("start", "end", "originalStartTime")
# What no text of Postgres or no JSON can hold. Nobody reads a meeting by them.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
# As in `recurrence`. Nobody meets then, but an invitation may say so, and must not stop its calendar's sync.
FAR_YEAR = 9000


def event_from_google(item: Mapping[str, Any]) -> Event:
    """One item of events.list, or one trimmed mirror row. Fields of another type than Google's count as absent. Raises
    KeyError only if the item has no id."""
    return event_from_trimmed(trim(item))


def event_from_trimmed(details: Mapping[str, Any]) -> Event:
    """The event whose `details` these are: what `trim` made in this same sync."""
    event_id: str = details["id"]
    status = details.get("status")
    series_id, original_start = _link_to_series(details)
    recurrence = tuple(details.get("recurrence") or ())
    start = event_time(details.get("start"))
    kind = EventKind.EXCEPTION if series_id else EventKind.SERIES if recurrence else EventKind.SINGLE
    return Event(
        id=event_id,
        base_id=base_event_id(series_id or event_id),
        kind=kind,
        status=EventStatus(status) if status in set(EventStatus) else EventStatus.CONFIRMED,
        details=details,
        series_id=series_id,
        start=start,
        end=_end_after(start, event_time(details.get("end"))),
        original_start=original_start,
        recurrence=recurrence,
        updated_at=_instant(details.get("updated")),
    )


def trim(item: Mapping[str, Any]) -> dict[str, Any]:
    """Google's JSON without what can never matter to a meeting: other people's addresses first of all."""
    kept: dict[str, Any] = {key: cleaned(item[key]) for key in _TEXTS if isinstance(item.get(key), str)}
    for key in _TIMES:
        if isinstance(item.get(key), Mapping):
            kept[key] = {name: cleaned(value) for name, value in item[key].items() if isinstance(value, str)}
    if lines := [cleaned(line) for line in _listed(item.get("recurrence")) if isinstance(line, str)]:
        kept["recurrence"] = lines
    entry_points = [
        {"entryPointType": _text(point.get("entryPointType")), "uri": _text(point.get("uri"))}
        for point in _objects(_object(item.get("conferenceData")).get("entryPoints"))
        if _text(point.get("uri"))
    ]
    if entry_points:
        kept["conferenceData"] = {"entryPoints": entry_points}
    attendees = _objects(item.get("attendees"))
    own = [
        {"self": True, "responseStatus": _text(attendee.get("responseStatus")) or str(Answer.NEEDS_ACTION)}
        for attendee in attendees
        if attendee.get("self")
    ]
    if own:
        kept["attendees"] = own
    elif attendees or item.get("attendeesOmitted"):
        # There are attendees, but the reader is none of them. Google's own mark says so again when this is trimmed
        # anew.
        kept |= {"attendees": [], "attendeesOmitted": True}
    if others := _others(item, attendees):
        kept["others"] = others
    if _object(item.get("organizer")).get("self"):
        kept["organizer"] = {"self": True}
    return kept


def _others(item: Mapping[str, Any], attendees: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """How many other people are invited, and whether any of another organisation; of nobody who. None: nobody is.

    `count` is None where Google omits some; `outside` is None where one's own organisation is not known.
    """
    if isinstance(kept := item.get("others"), Mapping):
        # It has been trimmed already.
        count, outside = kept.get("count"), kept.get("outside")
        return {
            "count": count if isinstance(count, int) else None,
            "outside": outside if isinstance(outside, bool) else None,
        }
    people = [attendee for attendee in attendees if not attendee.get("self") and not attendee.get("resource")]
    is_whole = not item.get("attendeesOmitted")
    if not people and is_whole:
        return None
    own = next((attendee for attendee in attendees if attendee.get("self")), _object(item.get("organizer")))
    home = organisation_of(_text(own.get("email"))) if own.get("self") else None
    addresses = [_text(person.get("email")) for person in people]
    outside = any(address and organisation_of(address) != home for address in addresses)
    knows = home is not None and (outside or (is_whole and all(addresses)))
    return {"count": len(people) if is_whole else None, "outside": outside if knows else None}


def is_storable(text: str) -> bool:
    """Whether Postgres and JSON can hold the text as it is."""
    return not _UNSTORABLE.search(text)


def cleaned(text: str) -> str:
    """The text with what cannot be held replaced."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def _text(value: Any) -> str | None:
    return cleaned(value) if isinstance(value, str) else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in _listed(value) if isinstance(entry, Mapping)]


def event_time(value: Mapping[str, Any] | None) -> EventTime | None:
    """Google's {date} or {dateTime, timeZone}. None if it is absent or unreadable."""
    if not value:
        return None
    if value.get("date"):
        try:
            date = dt.date.fromisoformat(value["date"])
        except ValueError:
            return None
        return EventTime(date=date) if _is_computable(date) else None
    return _timed(value.get("dateTime"), value.get("timeZone"))


def _end_after(start: EventTime | None, end: EventTime | None) -> EventTime | None:
    """An all-day event lasts a day at least: Google shows one that ends as it starts so. A timed one that ends before
    it starts ends there; so does one whose end is of the other kind."""
    if start is None or end is None:
        return end
    if start.date is not None:
        is_longer = end.date is not None and end.date > start.date
        return end if is_longer else EventTime(date=start.date + dt.timedelta(days=1))
    is_sound = end.at is not None and start.at is not None and end.at >= start.at
    return end if is_sound else start


def _timed(text: str | None, zone: str | None) -> EventTime | None:
    """A time with the zone it is written in. A zone that no database has is the offset written beside it: whatever
    Google made of that zone is in it, and the calendar's own rules are not meant. A time without an offset is its
    zone's local one."""
    written = _written(text)
    known = find_zone(zone)
    if written is None or (written.tzinfo is None and known is None):
        return None
    if written.tzinfo is None and known is not None:
        return EventTime(at=instant(written, known), time_zone=zone_name(known))
    if zone and known is None:
        known = zone_of_offset(written.utcoffset() or dt.timedelta(0))
    return EventTime(at=written.astimezone(dt.UTC), time_zone=zone_name(known) if known else None)


def _instant(text: str | None) -> dt.datetime | None:
    """RFC 3339 → aware UTC; None without an offset."""
    written = _written(text)
    return written.astimezone(dt.UTC) if written and written.tzinfo else None


def _written(text: str | None) -> dt.datetime | None:
    try:
        parsed = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return parsed if _is_computable(parsed) else None


def _is_computable(date: dt.date) -> bool:
    """Whether zones and durations have room around it: at either end of the calendar they overflow."""
    return dt.MINYEAR < date.year < FAR_YEAR


def _link_to_series(details: Mapping[str, Any]) -> tuple[str | None, EventTime | None]:
    """The series an item is an exception of, and the start it replaces; (None, None) for others.

    A cancelled exception may come as bare {id, status}: then both are read from its id, {master}_{start}.
    """
    series_id = details.get("recurringEventId")
    original = event_time(details.get("originalStartTime"))
    if series_id and original:
        return series_id, original
    parsed = parse_instance_id(details["id"])
    if parsed is None:
        return series_id, original
    if series_id or (details.get("status") == EventStatus.CANCELLED and "start" not in details):
        return series_id or parsed[0], original or parsed[1]
    return None, None
