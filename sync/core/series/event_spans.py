"""When events begin, end and how long they last, as instants. Pure. Called by `families` and `derive`."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from sync.model import Event, EventTime

# As in `recurrence`: about a thousand years, so that no occurrence's end overflows.
_LONGEST = dt.timedelta(days=365_000)


def start_of(time: EventTime, calendar_zone: str) -> dt.datetime:
    """The instant an event begins: an all-day one at its date's midnight in the calendar's zone."""
    if time.at is not None:
        return time.at
    if time.date is None:
        raise ValueError("an event time has neither date nor time")
    return dt.datetime.combine(time.date, dt.time(), ZoneInfo(calendar_zone)).astimezone(dt.UTC)


# An all-day end date is exclusive, so it is the instant its own midnight names.
end_of = start_of


def duration_of(event: Event) -> dt.timedelta:
    """Exact duration (RFC 5545 3.8.5.3: an occurrence lasts as long as the first, whatever the clocks do)."""
    if event.start is None or event.end is None:
        return dt.timedelta(0)
    duration = dt.timedelta(0)
    if event.start.date is not None and event.end.date is not None:
        duration = event.end.date - event.start.date
    if event.start.at is not None and event.end.at is not None:
        duration = event.end.at - event.start.at
    return min(max(duration, dt.timedelta(0)), _LONGEST)
