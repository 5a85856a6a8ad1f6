"""Google's ids of recurring events' instances: builds them and takes them apart.

Owns the id's form. Called by `core/series/recurrence` only, which offers these names to others. Documented nowhere,
but relied on everywhere: `{series}_{original start}`. After "this and following", Google's web interface names the new
series `{base}_R{local start}` while its instances stay `{base}_{start}`.

Google announced that instance ids it creates from the third quarter of 2026 on may look different, and that ids are
opaque (phw198/OutlookGoogleCalendarSync#2205). So an exception is linked by recurringEventId and originalStartTime
wherever they are present; `parse_instance_id` is for sparse tombstones, which have nothing but an id.
"""

from __future__ import annotations

import datetime as dt
import re

from sync.model import EventTime

# Imported events' ids begin with "_", other clients' may contain more: only a whole, valid suffix counts, and something
# must be left before it. Lower case has been seen in ids passed through other tools.
_INSTANCE = re.compile(r"(?P<series>.+)_(?P<date>[0-9]{8})(?:[Tt](?P<time>[0-9]{6})[Zz])?", re.DOTALL)
_SPLIT = re.compile(r"(?P<base>.+?)(?:_R[0-9]{8}(?:T[0-9]{6}Z?)?)+", re.DOTALL)


def instance_id(base_event_id: str, original_start: EventTime) -> str:
    """Google's id of the occurrence. Takes the series' id with or without its `_R…` part."""
    return f"{_without_split(base_event_id)}_{_suffix(original_start)}"


def base_event_id(event_id: str) -> str:
    """The id of the family an event belongs to: equal for a series, those split off it, and all their instances."""
    parsed = parse_instance_id(event_id)
    return _without_split(parsed[0] if parsed else event_id)


def parse_instance_id(event_id: str) -> tuple[str, EventTime] | None:
    """The series' id and the original start in an instance's id; None for anything else.

    The series may really be one split off the returned id (`{id}_R…`): callers look in the family. A timed start
    has no zone here.
    """
    match = _INSTANCE.fullmatch(event_id)
    if not match or not match["series"].strip("_"):
        return None
    try:
        if not match["time"]:
            return match["series"], EventTime(date=dt.datetime.strptime(match["date"], "%Y%m%d").date())  # noqa: DTZ007
        at = dt.datetime.strptime(match["date"] + match["time"], "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:  # eight digits which are no date belong to the id itself
        return None
    return match["series"], EventTime(at=at)


def split_start(event_id: str) -> EventTime | None:
    """When a series that was split off begins, as its id tells it (`{base}_R{local start}`): its day at the earliest,
    for the id has no zone. None for any other id."""
    match = re.fullmatch(r".+_R([0-9]{8})(?:T[0-9]{6}Z?)?", event_id, re.DOTALL)
    if not match:
        return None
    try:
        return EventTime(date=dt.datetime.strptime(match[1], "%Y%m%d").date())  # noqa: DTZ007
    except ValueError:
        return None


def _suffix(start: EventTime) -> str:
    if start.date is not None:
        return f"{start.date:%Y%m%d}"
    if start.at is None:
        raise ValueError("an original start has neither date nor time")
    return f"{start.at.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}"


def _without_split(series_id: str) -> str:
    match = _SPLIT.fullmatch(series_id)
    return match["base"] if match and match["base"].strip("_") else series_id
