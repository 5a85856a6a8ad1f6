"""Series and their instances: instance ids, instances that exist only by rule, and splitting a series.

Owns Google's naming: an instance is `{base}_{original start}`, where a web-interface series `{base}_R{time}` drops its
`_R…` part. Called by editing.py (changes) and listing.py (reading).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from . import expansion
from .errors import ControlError
from .expansion import Series, Slot
from .store import Calendar, Resource


def base_of(master_id: str) -> str:
    """The part of a series' id that its instances' ids start with."""
    return master_id.partition("_R")[0]


def stamp_of(start: dict[str, str]) -> str:
    """The suffix that an original start gives to an instance's id."""
    if "date" in start:
        return start["date"].replace("-", "")
    return datetime.fromisoformat(start["dateTime"]).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def by_rule(master: Resource, slot: Slot) -> Resource:
    """The instance of a series that nobody has edited."""
    copied = {key: value for key, value in master.items() if key != "recurrence"}
    return copied | {
        "id": f"{base_of(master['id'])}_{slot.stamp}",
        "recurringEventId": master["id"],
        "originalStartTime": slot.start,
        "start": slot.start,
        "end": slot.end,
    }


def find_instance(calendar: Calendar, event_id: str) -> Resource | None:
    """The rule-made instance with this id, if a live series makes it."""
    base, _, stamp = event_id.rpartition("_")
    if not base:
        return None
    for master in calendar.masters():
        if base_of(master["id"]) == base:
            slot = expansion.slot_by_stamp(master, ZoneInfo(calendar.time_zone), stamp)
            if slot:
                return by_rule(master, slot)
    return None


def makes(calendar: Calendar, master: Resource, exception: Resource) -> bool:
    """Whether the series still makes the occurrence that this exception replaces."""
    if not master.get("recurrence") or master["status"] == "cancelled":
        return False
    zone = ZoneInfo(calendar.time_zone)
    return expansion.slot_by_stamp(master, zone, stamp_of(exception["originalStartTime"])) is not None


def find_slot(calendar: Calendar, master: Resource, at: str) -> Slot:
    """The occurrence that starts at `at`: an id suffix, a date or an RFC 3339 time; `ControlError` if none does."""
    stamp = at
    if "-" in at:
        stamp = stamp_of({"date": at} if len(at) == 10 else {"dateTime": at})
    slot = expansion.slot_by_stamp(master, ZoneInfo(calendar.time_zone), stamp)
    if not slot:
        raise ControlError(f"series {master['id']} has no occurrence at {at}")
    return slot


def split_recurrence(calendar: Calendar, master: Resource, slot: Slot) -> tuple[list[str], list[str]]:
    """The recurrence of the series before `slot`, and of the one that begins with it."""
    series = Series(master, ZoneInfo(calendar.time_zone))
    local = slot.instant.astimezone(series.zone).replace(tzinfo=None)
    before: list[str] = []
    after: list[str] = []
    for line in series.lines:
        name, parameters, value = expansion.split_line(line)
        if name in ("RRULE", "EXRULE"):
            before.append(f"{name}:{_ending_before(series, value, slot)}")
            after.append(f"{name}:{_with_count_left(series, value, local)}")
        else:
            dates = series.dates(parameters, value)
            before += _date_line(series, name, [item for item in dates if item < local])
            after += _date_line(series, name, [item for item in dates if item >= local])
    return before, after


def web_id(master: Resource, slot: Slot) -> str:
    """The id Google's own web interface gives to the series that begins at `slot`."""
    start = slot.start
    local = start["date"].replace("-", "") if "date" in start else f"{_wall_clock(start):%Y%m%dT%H%M%S}"
    return f"{base_of(master['id'])}_R{local}"


def _wall_clock(start: dict[str, str]) -> datetime:
    return datetime.fromisoformat(start["dateTime"])


def _ending_before(series: Series, rule: str, slot: Slot) -> str:
    kept = [part for part in rule.split(";") if not part.upper().startswith(("UNTIL=", "COUNT="))]
    if series.all_day:
        last = date.fromisoformat(slot.start["date"]) - timedelta(days=1)
        return ";".join([*kept, f"UNTIL={last:%Y%m%d}"])
    return ";".join([*kept, f"UNTIL={slot.instant - timedelta(seconds=1):%Y%m%dT%H%M%SZ}"])


def _with_count_left(series: Series, rule: str, local: datetime) -> str:
    parts = []
    for part in rule.split(";"):
        if part.upper().startswith("COUNT="):
            used = 0
            for start in series.rule(rule):
                if start >= local:
                    break
                used += 1
            parts.append(f"COUNT={int(part[6:]) - used}")
        else:
            parts.append(part)
    return ";".join(parts)


def _date_line(series: Series, name: str, dates: list[datetime]) -> list[str]:
    if not dates:
        return []
    if series.all_day:
        return [f"{name};VALUE=DATE:" + ",".join(f"{item:%Y%m%d}" for item in dates)]
    return [f"{name}:" + ",".join(f"{series.instant(item):%Y%m%dT%H%M%SZ}" for item in dates)]
