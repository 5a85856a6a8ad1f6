"""How an event looks to one reader.

Owns what depends on who asks and how: `self` flags, hidden details of private events, attendees left out, time zones of
times, and how sparse a deleted event is. Changes nothing stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from .errors import JsonObject
from .instance_ids import OPAQUE_MARK
from .store import Calendar, Record, Resource
from .switches import Switches

# What anybody who may see a private event's time can see of it.
WITHOUT_DETAILS = (
    "kind", "etag", "id", "status", "created", "updated", "start", "end", "recurrence", "recurringEventId",
    "originalStartTime", "visibility", "transparency", "iCalUID", "sequence", "eventType", "organizer",
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """Who reads, and with which representation parameters."""

    email: str
    role: str
    zone: str
    max_attendees: int | None = None


def present(calendar: Calendar, record: Record, reader: Reader, switches: Switches) -> JsonObject:
    """The event as Google answers it to this reader."""
    if record.planted:
        planted: JsonObject = record.planted[0]
        return planted
    event = record.resource
    if event["status"] == "cancelled":
        sparse = _cancelled(record, switches)
        if sparse is not None:
            return sparse
    if _is_hidden(event, reader):
        event = {key: event[key] for key in WITHOUT_DETAILS if key in event}
    shown = {key: value for key, value in event.items() if key != OPAQUE_MARK}
    for name in ("start", "end", "originalStartTime"):
        if name in shown:
            shown[name] = _in_zone(shown[name], reader.zone)
    me = calendar.id if "@" in calendar.id and calendar.id == calendar.owner else reader.email
    for name in ("organizer", "creator"):
        if name in shown:
            shown[name] = shown[name] | ({"self": True} if shown[name].get("email") == calendar.id else {})
    if "attendees" in shown:
        _show_attendees(shown, me, reader.max_attendees)
    return shown


def _cancelled(record: Record, switches: Switches) -> JsonObject | None:
    event = record.resource
    if record.id_only:
        return {"id": event["id"], "status": "cancelled"}
    is_exception = "recurringEventId" in event
    variant = switches.cancelled_exceptions if is_exception else switches.tombstones
    if variant == "full":
        return None
    bare = {"id": event["id"], "status": "cancelled"}
    if variant == "sparse":
        return bare
    bare = {"kind": "calendar#event", "etag": event["etag"], **bare}
    if is_exception:
        bare |= {"recurringEventId": event["recurringEventId"], "originalStartTime": event["originalStartTime"]}
    return bare


def _is_hidden(event: Resource, reader: Reader) -> bool:
    is_private = event.get("visibility") in ("private", "confidential")
    return reader.role == "freeBusyReader" or (reader.role == "reader" and is_private)


def _in_zone(point: dict[str, str], zone: str) -> dict[str, str]:
    if "date" in point:
        return point
    moment = datetime.fromisoformat(point["dateTime"]).astimezone(ZoneInfo(zone))
    return point | {"dateTime": moment.isoformat().replace("+00:00", "Z")}


def _show_attendees(shown: JsonObject, me: str, limit: int | None) -> None:
    attendees = []
    for attendee in shown["attendees"]:
        plain = {key: value for key, value in attendee.items() if key != "self"}
        plain.setdefault("responseStatus", "needsAction")
        attendees.append(plain | ({"self": True} if plain["email"] == me else {}))
    if limit is not None and len(attendees) > limit:
        # "If there are more than the specified number of attendees, only the participant is returned."
        attendees = [attendee for attendee in attendees if attendee.get("self")]
        shown["attendeesOmitted"] = True
    shown["attendees"] = attendees
