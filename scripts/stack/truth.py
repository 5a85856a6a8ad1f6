"""The question everything is judged by: does `meetings` equal the calendar?

Asks the emulator's oracle (its own, independent expansion of what a user sees) and the database, and names every
difference. Used by the demo's proof and by the tests. Reads links by a rule of its own, simpler than the service's.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from scripts.stack.google import GoogleControl, address_of

Row = dict[str, Any]

_MEETING_TYPES = {"default", "fromGmail"}
_LINK = re.compile(r"https://[^\s<>\"]+")


def expected_meetings(
    google: GoogleControl, calendar_id: str, start: dt.datetime, end: dt.datetime, *, time_zone: str
) -> dict[str, Row]:
    """What the calendar's owner sees between `start` and `end` that has a join link.

    By Google's id; an instance by its series and original start (`address_of`), for its own id may be opaque and is
    then told to nobody who expands the series.
    """
    seen = google.instances(calendar_id, start.isoformat(), end.isoformat())
    rows = {}
    for event in seen:
        link = _link(event)
        if not link or event.get("eventType", "default") not in _MEETING_TYPES:
            continue
        rows[address_of(event)] = {
            "title": event.get("summary") or "(No title)",
            "description": event.get("description"),
            "meeting_url": link,
            "start_time": _instant(event["start"], time_zone),
            "end_time": _instant(event["end"], time_zone),
            "event_status": _answer(event),
            "status": event.get("status", "confirmed"),
            "is_all_day": "date" in event["start"],
        }
    return rows


def stored_meetings(
    db: psycopg.Connection[Any], user_id: str, google_calendar_id: str, start: dt.datetime, end: dt.datetime
) -> dict[str, Row]:
    """The live rows of `meetings` for a calendar in the same span. A row that stands twice is an error."""
    cursor = db.cursor(row_factory=dict_row).execute(
        """
        select m.google_calendar_event_id, m.title, m.description, m.meeting_url, m.start_time, m.end_time,
               m.event_status, m.status, m.is_all_day
        from public.meetings m join public.calendar_webhooks w on w.id = m.calendar_id
        where m.user_id = %s and w.google_calendar_id = %s and m.status <> 'cancelled'
          and m.start_time < %s and (m.end_time > %s or m.start_time >= %s)
        """,
        (user_id, google_calendar_id, end, start, start),
    )
    rows: dict[str, Row] = {}
    for row in cursor:
        event_id = row.pop("google_calendar_event_id")
        if event_id in rows:
            raise AssertionError(f"{event_id} stands twice in meetings")
        row["start_time"] = row["start_time"].astimezone(dt.UTC)
        row["end_time"] = row["end_time"].astimezone(dt.UTC)
        rows[event_id] = row
    return rows


def differences(expected: Mapping[str, Row], stored: Mapping[str, Row]) -> list[str]:
    """One line per disagreement; empty when they are equal."""
    found = [f"missing: {event_id} {row['title']!r}" for event_id, row in expected.items() if event_id not in stored]
    found += [f"surplus: {event_id} {row['title']!r}" for event_id, row in stored.items() if event_id not in expected]
    for event_id in expected.keys() & stored.keys():
        for field, value in expected[event_id].items():
            if stored[event_id][field] != value:
                found.append(f"differs: {event_id} {field}: calendar {value!r}, meetings {stored[event_id][field]!r}")
    return sorted(found)


def _instant(time: Mapping[str, str], time_zone: str) -> dt.datetime:
    if "date" in time:
        midnight = dt.datetime.combine(dt.date.fromisoformat(time["date"]), dt.time(), ZoneInfo(time_zone))
        return midnight.astimezone(dt.UTC)
    return dt.datetime.fromisoformat(time["dateTime"]).astimezone(dt.UTC)


def _link(event: Mapping[str, Any]) -> str | None:
    for point in event.get("conferenceData", {}).get("entryPoints", ()):
        if point.get("entryPointType") == "video":
            return str(point["uri"])
    texts = (event.get("hangoutLink"), event.get("location"), event.get("description"))
    for text in texts:
        found = _LINK.search(text or "")
        if found:
            return found.group()
    return None


def _answer(event: Mapping[str, Any]) -> str:
    for attendee in event.get("attendees", ()):
        if attendee.get("self"):
            return str(attendee.get("responseStatus", "needsAction"))
    return "needsAction" if event.get("attendees") and not event.get("organizer", {}).get("self") else "accepted"
