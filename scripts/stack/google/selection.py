"""Which events a listing contains.

Owns full and incremental selection, with and without `singleEvents`, and every filter of events.list and
events.instances. Returns records; paging is listing.py's, looks are presentation.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from . import expansion, series
from .errors import GoogleError, gone
from .instance_ids import stamp_of
from .store import Calendar, Record, Resource
from .switches import Switches


@dataclass(frozen=True)
class Query:
    """The filters of one listing; times are instants, and both bounds exclusive as Google's."""

    parameters: dict[str, Any]
    now: datetime
    time_min: datetime | None = None
    time_max: datetime | None = None
    updated_min: datetime | None = None

    @classmethod
    def of(cls, parameters: dict[str, Any], now: datetime, switches: Switches) -> Query:
        """Read the times; 400 `timeRangeEmpty`, 410 `updatedMinTooLongAgo`."""
        times = [_instant(parameters.get(name)) for name in ("timeMin", "timeMax", "updatedMin")]
        low, high, updated = times
        if low and high and low >= high:
            message = "The specified time range is empty."
            raise GoogleError(400, "timeRangeEmpty", message, domain="calendar", location="timeMax")
        if updated and now - updated > timedelta(seconds=switches.updated_min_horizon_seconds):
            raise gone("updatedMinTooLongAgo")
        return cls(parameters, now, low, high, updated)

    def flag(self, name: str) -> bool:
        """A boolean parameter."""
        return bool(self.parameters.get(name))


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


class Selector:
    """Selection on one calendar."""

    def __init__(self, calendar: Calendar, query: Query, switches: Switches) -> None:
        self._calendar = calendar
        self._query = query
        self._switches = switches
        self._zone = ZoneInfo(calendar.time_zone)
        self._reading = switches.reading()

    def full(self) -> list[Record]:
        """A listing without sync token."""
        chosen: list[Record] = []
        expand = self._query.flag("singleEvents")
        for record in self._calendar.records.values():
            if expand and record.resource.get("recurrence"):
                if record.resource["status"] != "cancelled":
                    chosen += self._expanded(record)
            elif expand and self._is_of_series(record):
                continue  # came with it
            elif self._may_show(record) and self._in_window(record):
                chosen.append(record)
        return self._ordered([record for record in chosen if self._matches(record)])

    def _is_of_series(self, record: Record) -> bool:
        """Not one that stayed, or was restored, after its series had become a single event."""
        master = self._calendar.live(record.resource.get("recurringEventId", ""))
        return master is not None and bool(master.get("recurrence"))

    def incremental(self, since: int) -> list[Record]:
        """Everything changed after `since`, deleted ones always included, not bounded in time."""
        newest_first = reversed(self._calendar.records.values())
        changed = list(takewhile(lambda record: record.change > since, newest_first))[::-1]
        if self._query.flag("singleEvents"):
            changed = self._changed_instances(changed)
        return self._ordered([record for record in changed if self._matches(record)])

    def _changed_instances(self, changed: list[Record]) -> list[Record]:
        # One touched series brings back all of its instances; a deleted one only some, as users report.
        found: dict[str, Record] = {}
        for record in changed:
            if not record.resource.get("recurrence"):
                found[record.resource["id"]] = record
            elif record.resource["status"] != "cancelled":
                found |= {item.resource["id"]: item for item in self._expanded(record)}
            else:
                for item in list(self._by_rule(record))[: self._switches.deleted_series_instances]:
                    found.setdefault(item.resource["id"], item)
        return list(found.values())

    def instances(self, master: Record) -> list[Record]:
        """The occurrences of one series, for events.instances."""
        wanted = self._query.parameters.get("originalStart")
        chosen = self._expanded(master)
        if wanted:
            chosen = [item for item in chosen if _original(item.resource, self._zone) == _start(wanted, self._zone)]
        return sorted(chosen, key=self._start_of)

    def _expanded(self, master: Record) -> list[Record]:
        """Exceptions as they are now, and the rule's occurrences that have no exception."""
        exceptions = self._calendar.exceptions_of(master.resource["id"])
        # By start, not by id: an exception keeps its id when a split gives it to a series that names others anew.
        replaced = {stamp_of(record.resource["originalStartTime"]) for record in exceptions}
        shown = [
            record
            for record in exceptions
            if (record.resource["status"] != "cancelled" or self._query.flag("showDeleted")) and self._in_window(record)
        ]
        return shown + [
            item for item in self._by_rule(master) if stamp_of(item.resource["originalStartTime"]) not in replaced
        ]

    def _by_rule(self, master: Record) -> Iterator[Record]:
        horizon = self._query.now + timedelta(days=self._switches.expansion_horizon_days)
        low, until = self._query.time_min, self._query.time_max or horizon
        for slot in expansion.slots(master.resource, self._zone, until, self._reading):
            if low is None or expansion.instant_of(slot.end, self._zone) > low:
                yield replace(master, resource=series.by_rule(master.resource, slot))

    def _may_show(self, record: Record) -> bool:
        event = record.resource
        if record.planted:
            return not self._query.flag("singleEvents")
        if event["status"] != "cancelled" or self._query.flag("showDeleted") or self._query.updated_min:
            return True
        # Cancelled occurrences of a live series are part of it: without singleEvents they are always listed.
        if self._query.flag("singleEvents") or not self._switches.cancelled_instances_always:
            return False
        return self._calendar.live(event.get("recurringEventId", "")) is not None

    def _in_window(self, record: Record) -> bool:
        low, high = self._query.time_min, self._query.time_max
        event = record.resource
        if record.id_only or (low is None and high is None):
            return True
        if event.get("recurrence"):
            return any(True for _ in self._expanded(record))
        starts, ends = (expansion.instant_of(event[name], self._zone) for name in ("start", "end"))
        return (high is None or starts < high) and (low is None or ends > low)

    def _matches(self, record: Record) -> bool:
        event, wanted = record.resource, self._query.parameters
        if self._query.updated_min and datetime.fromisoformat(event["updated"]) < self._query.updated_min:
            return False
        types = wanted.get("eventTypes")
        if types and event.get("eventType", "default") not in types:
            return False
        if "iCalUID" in wanted and event.get("iCalUID") != wanted["iCalUID"]:
            return False
        if "q" in wanted and not _mentions(event, wanted["q"]):
            return False
        return all(
            _has_properties(event, kind, wanted.get(f"{kind}ExtendedProperty", ())) for kind in ("private", "shared")
        )

    def _ordered(self, records: list[Record]) -> list[Record]:
        order = self._query.parameters.get("orderBy")
        if order == "startTime":
            return sorted(records, key=self._start_of)
        if order == "updated" or self._switches.list_order == "changed":
            return sorted(records, key=lambda record: record.change)
        if self._switches.list_order == "reversed":
            return sorted(records, key=lambda record: -record.change)
        return sorted(records, key=lambda record: str(record.resource["id"]))

    def _start_of(self, record: Record) -> datetime:
        start = record.resource.get("start")
        return expansion.instant_of(start, self._zone) if start else datetime.min.replace(tzinfo=UTC)


def _start(text: str, zone: ZoneInfo) -> datetime:
    return expansion.instant_of({"date": text} if len(text) == 10 else {"dateTime": text}, zone)


def _original(event: Resource, zone: ZoneInfo) -> datetime:
    return expansion.instant_of(event["originalStartTime"], zone)


def _mentions(event: Resource, text: str) -> bool:
    words = [event.get(name, "") for name in ("summary", "description", "location")]
    for attendee in event.get("attendees", []):
        words += [attendee.get("displayName", ""), attendee.get("email", "")]
    haystack = " ".join(words).lower()
    return all(word in haystack for word in text.lower().split())


def _has_properties(event: Resource, kind: str, wanted: tuple[str, ...]) -> bool:
    properties = event.get("extendedProperties", {}).get(kind, {})
    return all(properties.get(pair.partition("=")[0]) == pair.partition("=")[2] for pair in wanted)
