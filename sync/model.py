"""The types that cross floors: what `core` decides on, what `clients` carry, what `jobs` pass between them.

Owns no behaviour beyond tiny derivations of its own fields. Knows nothing of Google's JSON (see `core/translate`)
nor of table columns (see `clients/store`). Every datetime is aware UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventTime:
    """One end of an event: either an all-day `date`, or an instant `at` with the IANA zone it was written in.

    Exactly one of `date` and `at` is set. `time_zone` matters for series: they repeat in local time.
    """

    date: dt.date | None = None
    at: dt.datetime | None = None
    time_zone: str | None = None

    @property
    def is_all_day(self) -> bool:
        return self.date is not None


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time, [start, end), aware UTC."""

    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class LinkSources:
    """The places of an event that may hold a join link.

    `entry_points` are conferenceData.entryPoints as (entryPointType, uri) pairs.
    """

    entry_points: tuple[tuple[str, str], ...] = ()
    hangout_link: str | None = None
    location: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class MeetingLink:
    """A join link found in an event.

    `provider` is a stable slug ("google_meet", "zoom"); `url` the canonical https join URL; `room_key` equal for
    two links that lead to the same room; `found_in` one of conference, hangout_link, location, description.
    """

    provider: str
    url: str
    room_key: str
    found_in: str
