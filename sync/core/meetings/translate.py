"""Google's event JSON → `Event`. Pure. Called by the sync for each listed item and for each mirror row read back.

Owns what of an event is kept (`_KEPT`): the mirror stores Google's own JSON trimmed to that, and translating a trimmed
event gives the same Event again. Refuses nothing: sparse tombstones and events without times come through.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sync.core.series.instance_ids import base_event_id, parse_instance_id
from sync.model import Event, EventTime

# Bumped whenever the list parameters or what is kept change: a token made under another format forces a full sync.
SYNC_FORMAT = 1

_KEPT = (
    "id", "status", "summary", "description", "location", "start", "end", "recurrence", "recurringEventId",
    "originalStartTime", "hangoutLink", "eventType", "visibility", "updated",
)  # fmt: skip
# As in `recurrence`. Nobody meets then, but an invitation may say so, and must not stop its calendar's sync.
FAR_YEAR = 9000
_STATUSES = frozenset({"confirmed", "tentative", "cancelled"})


def event_from_google(item: Mapping[str, Any]) -> Event:
    """One item of events.list, or one trimmed mirror row. Raises KeyError only if the item has no id."""
    details = trim(item)
    event_id: str = details["id"]
    status = details.get("status", "confirmed")
    series_id, original_start = _link_to_series(details)
    recurrence = tuple(details.get("recurrence") or ())
    kind = "exception" if series_id else "series" if recurrence else "single"
    return Event(
        id=event_id,
        base_id=base_event_id(series_id or event_id),
        kind=kind,
        status=status if status in _STATUSES else "confirmed",
        details=details,
        series_id=series_id,
        start=event_time(details.get("start")),
        end=event_time(details.get("end")),
        original_start=original_start,
        recurrence=recurrence,
        updated_at=_instant(details.get("updated")),
    )


def trim(item: Mapping[str, Any]) -> dict[str, Any]:
    """Google's JSON without what can never matter to a meeting: other people's addresses first of all."""
    kept = {key: item[key] for key in _KEPT if item.get(key) is not None}
    entry_points = [
        {"entryPointType": point.get("entryPointType"), "uri": point.get("uri")}
        for point in (item.get("conferenceData") or {}).get("entryPoints") or ()
        if point.get("uri")
    ]
    if entry_points:
        kept["conferenceData"] = {"entryPoints": entry_points}
    own = [
        {"self": True, "responseStatus": attendee.get("responseStatus", "needsAction")}
        for attendee in item.get("attendees") or ()
        if attendee.get("self")
    ]
    if own:
        kept["attendees"] = own
    elif item.get("attendees") or item.get("attendeesOmitted"):
        # There are attendees, but the reader is none of them. Google's own mark says so again when this is trimmed
        # anew.
        kept |= {"attendees": [], "attendeesOmitted": True}
    if (item.get("organizer") or {}).get("self"):
        kept["organizer"] = {"self": True}
    return kept


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
    at = _instant(value.get("dateTime"))
    return EventTime(at=at, time_zone=value.get("timeZone")) if at else None


def _instant(value: str | None) -> dt.datetime | None:
    """RFC 3339 → aware UTC. Google always sends an offset; without one the value means nothing to us."""
    if not value:
        return None
    try:
        parsed = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed.astimezone(dt.UTC) if parsed.tzinfo and _is_computable(parsed) else None


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
    if series_id or (details.get("status") == "cancelled" and "start" not in details):
        return series_id or parsed[0], original or parsed[1]
    return None, None
