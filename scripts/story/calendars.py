"""Lively calendars: what two people really have in theirs. Data and small builders; called by the chapters."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from scripts.stack.google.control import GoogleControl
from scripts.story.stage import Person, Stage

JsonObject = dict[str, Any]
ZOOM = "https://zoom.us/j/98765432101"
MEET = "https://meet.google.com/abc-defg-hij"


def timed(stage: Stage, person: Person, title: str, *, day: int, at: str, minutes: int = 30, **more: Any) -> JsonObject:
    """An event `day` days from the story's beginning at local time `at` ("09:30"), at ZOOM unless told otherwise."""
    zone = ZoneInfo(person.time_zone)
    local = dt.datetime.combine(stage.now.astimezone(zone).date() + dt.timedelta(days=day), dt.time.fromisoformat(at))
    start = local.replace(tzinfo=zone)
    return {
        "summary": title,
        "start": {"dateTime": start.isoformat(), "timeZone": person.time_zone},
        "end": {"dateTime": (start + dt.timedelta(minutes=minutes)).isoformat(), "timeZone": person.time_zone},
        "location": ZOOM,
        **more,
    }


def all_day(stage: Stage, title: str, *, day: int, days: int = 1, **more: Any) -> JsonObject:
    first = stage.now.date() + dt.timedelta(days=day)
    return {
        "summary": title,
        "start": {"date": first.isoformat()},
        "end": {"date": (first + dt.timedelta(days=days)).isoformat()},
        "location": ZOOM,
        **more,
    }


def working_life(stage: Stage, person: Person) -> list[JsonObject]:
    """Calls, meetings that repeat, and entries that are no meetings."""
    calls = [
        timed(stage, person, f"Call with customer {number}", day=number % 40, at=f"{9 + number % 8:02d}:15")
        for number in range(1, 41)
    ]
    return [
        *calls,
        timed(
            stage,
            person,
            "Standup",
            day=-30,
            at="09:00",
            minutes=15,
            recurrence=["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"],
        ),
        timed(stage, person, "Planning", day=-14, at="14:00", minutes=90, recurrence=["RRULE:FREQ=WEEKLY;INTERVAL=2"]),
        timed(
            stage,
            person,
            "Board",
            day=3,
            at="16:00",
            recurrence=["RRULE:FREQ=MONTHLY;COUNT=6"],
            location="",
            hangoutLink=MEET,
        ),
        timed(stage, person, "", day=5, at="11:00"),
        timed(stage, person, "Maybe", day=6, at="12:00", status="tentative"),
        timed(stage, person, "Dentist", day=2, at="08:00", location="Main Street 5"),
        timed(stage, person, "Deep work", day=1, at="13:00", eventType="focusTime", focusTimeProperties={}),
        all_day(stage, "Offsite", day=9, days=2),
        timed(
            stage,
            person,
            "Asked, not answered",
            day=4,
            at="10:00",
            attendees=[{"email": person.email, "responseStatus": "needsAction"}, {"email": "carol@example.org"}],
        ),
    ]


def fill(stage: Stage, person: Person) -> int:
    """Puts a working life into a calendar, without any push; the number of events."""
    google: GoogleControl = stage.google
    bodies = working_life(stage, person)
    made = google.bulk_insert(person.email, bodies, notify=False)
    standup = next(event for event in made if event.get("summary") == "Standup")
    upcoming = google.instances(
        person.email,
        (stage.now + dt.timedelta(days=7)).isoformat(),
        (stage.now + dt.timedelta(days=21)).isoformat(),
    )
    days = [event for event in upcoming if event.get("recurringEventId") == standup["id"]]
    google.patch_event(person.email, days[0]["id"], {"summary": "Standup, on the terrace"}, notify=False)
    google.delete_event(person.email, days[1]["id"], notify=False)
    later = dt.datetime.fromisoformat(days[2]["start"]["dateTime"]) + dt.timedelta(hours=5)
    google.patch_event(
        person.email,
        days[2]["id"],
        {
            "start": {"dateTime": later.isoformat(), "timeZone": person.time_zone},
            "end": {"dateTime": (later + dt.timedelta(minutes=15)).isoformat(), "timeZone": person.time_zone},
        },
        notify=False,
    )
    return len(bodies) + 3
