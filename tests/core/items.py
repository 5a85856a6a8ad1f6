"""Google's JSON of events, as the tests of core need it. Noon in Zurich is 11:00 UTC in winter, 10:00 in summer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sync.core.meetings.translate import event_from_google
from sync.model import Event, Window

Item = dict[str, Any]

ZONE = "Europe/Zurich"
LINK = "https://zoom.us/j/5551234567"
NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
HORIZON = Window(dt.datetime(2026, 3, 9, 12, 0, tzinfo=dt.UTC), dt.datetime(2026, 5, 9, 12, 0, tzinfo=dt.UTC))


def at(text: str) -> dt.datetime:
    """'2026-03-10 12:00' → aware UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def times(start: str, minutes: int = 60) -> Item:
    """Start and end of a timed event that begins at `start`, UTC."""
    begins = at(start)
    ends = begins + dt.timedelta(minutes=minutes)
    return {
        "start": {"dateTime": begins.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": ends.isoformat(), "timeZone": "UTC"},
    }


def days(first: str, until: str) -> Item:
    """Start and end of an all-day event; `until` is exclusive."""
    return {"start": {"date": first}, "end": {"date": until}}


def single(event_id: str = "one", start: str = "2026-03-12 10:00", **more: Any) -> Item:
    return {"id": event_id, "status": "confirmed", "summary": event_id, "location": LINK, **times(start), **more}


def daily(
    event_id: str = "day", start: str = "2026-03-10 09:00", rule: str = "FREQ=DAILY;COUNT=5", **more: Any
) -> Item:
    return single(event_id, start, recurrence=[f"RRULE:{rule}"], **more)


def exception(series_id: str, original: str, start: str | None = None, **more: Any) -> Item:
    """The instance of a timed series that would begin at `original` and begins at `start`."""
    base = series_id.split("_R")[0]
    return {
        **single(f"{base}_{at(original):%Y%m%dT%H%M%SZ}", start or original),
        "recurringEventId": series_id,
        "originalStartTime": {"dateTime": at(original).isoformat(), "timeZone": "UTC"},
        **more,
    }


def cancelled_exception(series_id: str, original: str) -> Item:
    item = exception(series_id, original)
    return {key: item[key] for key in ("id", "recurringEventId", "originalStartTime")} | {"status": "cancelled"}


def tombstone(event_id: str, **more: Any) -> Item:
    return {"id": event_id, "status": "cancelled", **more}


def events(*items: Mapping[str, Any]) -> list[Event]:
    return [event_from_google(item) for item in items]
