"""Local wall-clock time and instants: the mapping a repeating event needs, there and back.

Owns what happens where the two disagree (missing and doubled local times), and which zone a name means. Called by
`core/series/recurrence` and `core/meetings/translate`. Wall times are naive datetimes, instants aware UTC. Pure; the
zone database comes from `zoneinfo`, the names that Windows has for zones from `tzlocal`.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

_DAY = dt.timedelta(days=1)
# "GMT-03:00", "UTC+5", "+0530": east of Greenwich is positive, unlike in "Etc/GMT+3", which the database knows.
_FIXED = re.compile(r"\(?(?:GMT|UTC)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?\)?", re.IGNORECASE)
Zone = ZoneInfo | dt.timezone


@functools.lru_cache(maxsize=512)
def find_zone(name: str | None) -> Zone | None:
    """The zone a name means: IANA's names, present and former, those of Windows ("W. Europe Standard Time"), and fixed
    offsets ("GMT-03:00"). None for invented ones, and for none."""
    name = (name or "").strip()
    # IANA's names first: Windows calls a few of its own alike.
    return _iana_zone(name) or _iana_zone(win_tz.get(name, "")) or _fixed_zone(name)


def _iana_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def _fixed_zone(name: str) -> Zone | None:
    match = _FIXED.fullmatch(name)
    if not match or int(match[2]) > 23 or int(match[3] or 0) > 59:
        return None
    offset = dt.timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return zone_of_offset(offset if match[1] == "+" else -offset)


def zone_of_offset(offset: dt.timedelta) -> Zone:
    """The zone that always has this offset from UTC, to the minute. Of whole hours under IANA's name, for others read
    "UTC-03:00" as its opposite."""
    minutes = offset // dt.timedelta(minutes=1)
    if minutes == 0:
        return ZoneInfo("UTC")
    if minutes % 60 == 0 and -12 <= minutes // 60 <= 14:
        return ZoneInfo(f"Etc/GMT{-minutes // 60:+d}")
    return dt.timezone(dt.timedelta(minutes=minutes))


def zone_name(zone: Zone) -> str:
    """A name that `find_zone` finds the zone by: IANA's, or "UTC-03:30" for an offset that has none."""
    return zone.key if isinstance(zone, ZoneInfo) else str(zone)


def instant(wall: dt.datetime, zone: Zone) -> dt.datetime:
    """A missing time moves forward by the gap, a doubled one is the first (RFC 5545 3.3.5; fold=0 of PEP 495)."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)


def wall_at(at: dt.datetime, zone: Zone) -> dt.datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def offsets_around(at: dt.datetime, zone: Zone) -> tuple[dt.timedelta, dt.timedelta]:
    """The smallest and largest UTC offset within a day: no zone ever changed by more (Samoa skipped one in 2011)."""
    moments = [moment.astimezone(dt.UTC) for moment in (at - _DAY, at, at + _DAY)]
    offsets = [wall_at(moment, zone) - moment.replace(tzinfo=None) for moment in moments]
    return min(offsets), max(offsets)


def walls_around(at: dt.datetime, zone: Zone) -> tuple[dt.datetime, dt.datetime]:
    """The earliest and latest wall time which can stand for this instant."""
    smallest, largest = offsets_around(at, zone)
    utc = at.astimezone(dt.UTC).replace(tzinfo=None)
    return utc + smallest, utc + largest
