"""Local wall-clock time and instants: the mapping a repeating event needs, there and back.

Owns what happens where the two disagree: missing and doubled local times, unknown zones. Called by
`core/series/recurrence`. Wall times are naive datetimes, instants aware UTC. Pure; the zone database comes from
`zoneinfo`.
"""

from __future__ import annotations

import datetime as dt
import functools
from zoneinfo import ZoneInfo

_DAY = dt.timedelta(days=1)


@functools.lru_cache(maxsize=512)
def find_zone(name: str | None) -> ZoneInfo | None:
    """None for what is no IANA name: Windows names ("W. Europe Standard Time"), "GMT+02:00", invented ones."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def instant(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """A missing time moves forward by the gap, a doubled one is the first (RFC 5545 3.3.5; fold=0 of PEP 495)."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)


def wall_at(at: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def offsets_around(at: dt.datetime, zone: ZoneInfo) -> tuple[dt.timedelta, dt.timedelta]:
    """The smallest and largest UTC offset within a day: no zone ever changed by more (Samoa skipped one in 2011)."""
    moments = [moment.astimezone(dt.UTC) for moment in (at - _DAY, at, at + _DAY)]
    offsets = [wall_at(moment, zone) - moment.replace(tzinfo=None) for moment in moments]
    return min(offsets), max(offsets)


def walls_around(at: dt.datetime, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """The earliest and latest wall time which can stand for this instant."""
    smallest, largest = offsets_around(at, zone)
    utc = at.astimezone(dt.UTC).replace(tzinfo=None)
    return utc + smallest, utc + largest
