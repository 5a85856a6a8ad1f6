"""Series and their instances: instances that exist only by rule, finding them, and splitting a series.

Owns the step from an occurrence (expansion.py) to the event it is. Called by editing.py (changes), selection.py
(reading) and scenario.py (addressing).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from . import expansion
from .errors import ControlError
from .expansion import Reading, Series, Slot
from .instance_ids import OPAQUE_MARK, address_of, base_of, instance_id, stamp_in, stamp_of
from .store import Calendar, Resource


def by_rule(master: Resource, slot: Slot) -> Resource:
    """The instance of a series that nobody has edited."""
    copied = {key: value for key, value in master.items() if key not in ("recurrence", OPAQUE_MARK)}
    return copied | {
        "id": instance_id(master, slot.stamp),
        "recurringEventId": master["id"],
        "originalStartTime": slot.start,
        "start": slot.start,
        "end": slot.end,
    }


def find_instance(calendar: Calendar, event_id: str, reading: Reading) -> Resource | None:
    """The rule-made instance with this id, if a live series makes it."""
    for master in calendar.masters():
        stamp = stamp_in(master, event_id)
        slot = _slot(calendar, master, stamp, reading) if stamp else None
        if slot:
            return by_rule(master, slot)
    return None


def id_by_start(calendar: Calendar, spelling: str, reading: Reading) -> str | None:
    """The id of the instance that `{base}_{original start}` describes, whatever ids its series uses; None if none."""
    base, _, stamp = spelling.rpartition("_")
    for record in calendar.records.values():
        if "recurringEventId" in record.resource and address_of(record.resource) == spelling:
            return str(record.resource["id"])
    for master in calendar.masters():
        if base_of(master["id"]) == base and _slot(calendar, master, stamp, reading):
            return instance_id(master, stamp)
    return None


def makes(calendar: Calendar, master: Resource, exception: Resource, reading: Reading) -> bool:
    """Whether the series still makes the occurrence that this exception replaces."""
    if not master.get("recurrence") or master["status"] == "cancelled":
        return False
    return _slot(calendar, master, stamp_of(exception["originalStartTime"]), reading) is not None


def find_slot(calendar: Calendar, master: Resource, at: str, reading: Reading) -> Slot:
    """The occurrence at `at`: an instance's id, its suffix, a date or an RFC 3339 time; `ControlError` if none is."""
    stamp = stamp_in(master, at) or at
    if "-" in at:
        stamp = stamp_of({"date": at} if len(at) == 10 else {"dateTime": at})
    slot = _slot(calendar, master, stamp, reading)
    if not slot:
        raise ControlError(f"series {master['id']} has no occurrence at {at}")
    return slot


def _slot(calendar: Calendar, master: Resource, stamp: str, reading: Reading) -> Slot | None:
    return expansion.slot_by_stamp(master, ZoneInfo(calendar.time_zone), stamp, reading)


def split_recurrence(calendar: Calendar, master: Resource, slot: Slot, reading: Reading) -> tuple[list[str], list[str]]:
    """The recurrence of the series before `slot`, and of the one that begins with it."""
    series = Series(master, ZoneInfo(calendar.time_zone), reading)
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
