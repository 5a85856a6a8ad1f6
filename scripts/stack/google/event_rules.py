"""What a valid event is: ids, times, recurrence, and the fields Google fills in.

Owns validation and completion of one event body. Refuses what Google refuses, with its reasons. Pure: no store, no
clock of its own. Called by editing.py.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from . import expansion
from .errors import GoogleError, JsonObject, invalid, required
from .instance_ids import BASE32HEX, OPAQUE_MARK

ID_PATTERN = re.compile(r"[a-v0-9]{5,1024}")
EVENT_TYPES = ("default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation")
STATUSES = ("confirmed", "tentative", "cancelled")
# Google computes these; a body that carries them (as any read-modify-write does) changes nothing.
READ_ONLY = (
    "kind",
    "etag",
    "created",
    "updated",
    "creator",
    "htmlLink",
    "recurringEventId",
    "originalStartTime",
    "attendeesOmitted",
    "locked",
    OPAQUE_MARK,
)


def new_id() -> str:
    """A fresh id as Google makes them: base32hex, lower case."""
    return "".join(secrets.choice(BASE32HEX) for _ in range(26))


def check_id(event_id: Any) -> str:
    """A client's own id, or 400 `invalid`."""
    if not isinstance(event_id, str) or not ID_PATTERN.fullmatch(event_id):
        raise invalid("Invalid resource id value.")
    return event_id


def merge(current: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396), Google's patch semantics: null removes, arrays are replaced."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def check(event: JsonObject, calendar_zone: str) -> JsonObject:
    """The event with normalised times; raises 400 for what Google does not store."""
    if event.get("status") not in STATUSES:
        raise invalid("Invalid value for: status")
    if event.get("eventType", "default") not in EVENT_TYPES:
        raise invalid("Invalid value for: eventType")
    recurring = bool(event.get("recurrence"))
    start = _time(event, "start", calendar_zone, recurring=recurring)
    end = _time(event, "end", calendar_zone, recurring=recurring)
    if ("date" in start) != ("date" in end):
        raise invalid("Start and end times must either both be date or both be dateTime.")
    length = expansion.instant_of(end, UTC) - expansion.instant_of(start, UTC)
    if length.total_seconds() < 0 or ("date" in start and not length):
        raise GoogleError(400, "timeRangeEmpty", "The specified time range is empty.", domain="calendar")
    for attendee in event.get("attendees", []):
        if not isinstance(attendee, dict) or "@" not in str(attendee.get("email", "")):
            raise invalid("Invalid attendee email.")
    if recurring:
        try:
            expansion.check(event["recurrence"], start)
        except (ValueError, TypeError, KeyError, ZoneInfoNotFoundError):
            raise invalid("Invalid recurrence rule.") from None
    return event | {"start": start, "end": end}


def _time(event: JsonObject, name: str, calendar_zone: str, *, recurring: bool) -> JsonObject:
    point = event.get(name)
    if not isinstance(point, dict) or not ("date" in point or "dateTime" in point):
        raise required(f"Missing {name} time.")
    if "date" in point and "dateTime" in point:
        raise invalid(f"Invalid {name} time.")
    try:
        if "date" in point:
            return {"date": datetime.strptime(point["date"], "%Y-%m-%d").date().isoformat()}  # noqa: DTZ007 - a date
        return _date_time(point, name, calendar_zone, recurring=recurring)
    except (ValueError, TypeError, ZoneInfoNotFoundError):
        raise invalid(f"Invalid value for: {name}") from None


def _date_time(point: JsonObject, name: str, calendar_zone: str, *, recurring: bool) -> JsonObject:
    moment = datetime.fromisoformat(point["dateTime"]).replace(microsecond=0)
    named = point.get("timeZone")
    if not named and (recurring or moment.tzinfo is None):
        raise required(f"Missing time zone definition for {name} time.")
    zone = ZoneInfo(named or calendar_zone)
    # With a zone but no offset the time is local in that zone; with both, the offset fixes the instant.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone).astimezone(UTC)
    return {"dateTime": aware.astimezone(zone).isoformat(), "timeZone": named or calendar_zone}


def complete_new(body: JsonObject, event_id: str, calendar_id: str, creator: str, created: str) -> JsonObject:
    """A new event with everything Google adds to a body."""
    written = {key: value for key, value in body.items() if key not in READ_ONLY and value is not None}
    defaults: JsonObject = {
        "status": "confirmed",
        "iCalUID": f"{event_id}@google.com",
        "sequence": 0,
        "reminders": {"useDefault": True},
        "eventType": "default",
        "organizer": {"email": calendar_id},
    }
    fixed: JsonObject = {
        "kind": "calendar#event",
        "id": event_id,
        "htmlLink": f"https://www.google.com/calendar/event?eid={event_id}",
        "created": created,
        "creator": {"email": creator},
    }
    return defaults | written | fixed


def complete_changed(current: JsonObject, wanted: JsonObject) -> JsonObject:
    """`wanted` with the read-only fields of `current`, and `sequence` raised when the schedule moved."""
    kept = {key: current[key] for key in (*READ_ONLY, "id", "iCalUID", "organizer", "eventType") if key in current}
    changed = {key: value for key, value in wanted.items() if key not in READ_ONLY} | kept
    moved = any(changed.get(key) != current.get(key) for key in ("start", "end", "recurrence"))
    changed["sequence"] = max(int(wanted.get("sequence", 0)), int(current.get("sequence", 0)) + int(moved))
    changed.setdefault("status", "confirmed")
    changed.setdefault("reminders", {"useDefault": True})
    return changed
