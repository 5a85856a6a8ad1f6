"""The Calendar API's methods, one function each.

Owns the step from an authenticated call to the store, the editor, the listings and the channels. Everything around a
call (authentication, quota, faults, counting) is emulator.py's. Called with the store's lock held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .channels import Channel, Channels
from .editing import Editor
from .errors import JsonObject, invalid, not_found, required
from .http import Request
from .listing import Listing, PageEffects
from .presentation import Reader, present
from .store import Calendar, Record, Resource, Store
from .switches import Switches


@dataclass
class ApiCall:
    """One authenticated call. `opened` is set by watch: the channel that is owed its handshake."""

    kind: str
    account: str
    client_id: str
    path: dict[str, str]
    parameters: dict[str, Any]
    request: Request
    effects: PageEffects
    opened: Channel | None = None


class EventsApi:
    """Dispatches by method kind; an answer of None is 204 No Content."""

    def __init__(self, store: Store, switches: Switches, editor: Editor, listing: Listing, channels: Channels) -> None:
        self._store = store
        self._switches = switches
        self._editor = editor
        self._listing = listing
        self._channels = channels
        self._handlers: dict[str, Callable[[ApiCall], JsonObject | None]] = {
            "calendarList.list": lambda call: listing.calendars(call.account, call.parameters, call.effects),
            "calendarList.get": self._calendar_entry,
            "calendars.get": self._calendar,
            "events.list": self._list,
            "events.get": self._get,
            "events.instances": self._instances,
            "events.insert": self._insert,
            "events.import": self._insert,
            "events.patch": self._patch,
            "events.update": self._patch,
            "events.move": self._move,
            "events.delete": self._delete,
            "events.watch": self._watch,
            "channels.stop": self._stop,
        }

    def answer(self, call: ApiCall) -> JsonObject | None:
        """Carry out one call."""
        return self._handlers[call.kind](call)

    def _readable(self, call: ApiCall, *, write: bool = False) -> tuple[Calendar, Reader]:
        calendar = self._store.visible_calendar(call.path["calendarId"], call.account, write=write)
        zone = call.parameters.get("timeZone", calendar.time_zone)
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise invalid("Invalid time zone.", "timeZone") from None
        reader = Reader(call.account, calendar.acl[call.account], zone, call.parameters.get("maxAttendees"))
        return calendar, reader

    def _show(self, calendar: Calendar, reader: Reader, event: Resource) -> JsonObject:
        return present(calendar, Record(event, 0), reader, self._switches)

    def _calendar_entry(self, call: ApiCall) -> JsonObject:
        calendar, _ = self._readable(call)
        return self._listing.calendar_entry(call.account, calendar.id)

    def _calendar(self, call: ApiCall) -> JsonObject:
        calendar, _ = self._readable(call)
        etag = f'"{self._store.account(call.account).list_changes[calendar.id]:016d}"'
        shown = {"id": calendar.id, "summary": calendar.summary, "timeZone": calendar.time_zone}
        return {"kind": "calendar#calendar", "etag": etag, **shown}

    def _list(self, call: ApiCall) -> JsonObject:
        calendar, reader = self._readable(call)
        return self._listing.events(calendar, reader, call.parameters, call.effects)

    def _get(self, call: ApiCall) -> JsonObject:
        calendar, reader = self._readable(call)
        event = self._editor.find(calendar, call.path["eventId"])
        # A listing may say nothing but the id of a cancelled instance; asked for it, Google says which one it was.
        sparse = self._switches.cancelled_exceptions == "sparse"
        told = replace(self._switches, cancelled_exceptions="linked") if sparse else self._switches
        return present(calendar, Record(event, 0), reader, told)

    def _instances(self, call: ApiCall) -> JsonObject:
        calendar, reader = self._readable(call)
        record = calendar.records.get(call.path["eventId"])
        if record is None or record.id_only:
            raise not_found()
        if not record.resource.get("recurrence"):
            raise invalid("The event is not recurring.", "eventId")
        return self._listing.instances(calendar, record, reader, call.parameters, call.effects)

    def _insert(self, call: ApiCall) -> JsonObject:
        calendar, reader = self._readable(call, write=True)
        importing = call.kind == "events.import"
        body, conferences = call.request.json(), _conferences(call)
        event = self._editor.insert(calendar, body, call.account, conferences=conferences, importing=importing)
        return self._show(calendar, reader, event)

    def _patch(self, call: ApiCall) -> JsonObject:
        calendar, reader = self._readable(call, write=True)
        change = self._editor.patch if call.kind == "events.patch" else self._editor.update
        if_match = call.request.headers.get("if-match")
        body, conferences = call.request.json(), _conferences(call)
        event = change(calendar, call.path["eventId"], body, if_match=if_match, conferences=conferences)
        return self._show(calendar, reader, event)

    def _move(self, call: ApiCall) -> JsonObject:
        source, _ = self._readable(call, write=True)
        target = self._store.visible_calendar(call.parameters["destination"], call.account, write=True)
        reader = Reader(call.account, target.acl[call.account], target.time_zone)
        return self._show(target, reader, self._editor.move(source, call.path["eventId"], target))

    def _delete(self, call: ApiCall) -> None:
        calendar, _ = self._readable(call, write=True)
        self._editor.delete(calendar, call.path["eventId"], if_match=call.request.headers.get("if-match"))

    def _watch(self, call: ApiCall) -> JsonObject:
        calendar, _ = self._readable(call)
        if not call.request.body:
            raise required("Missing channel.")
        types = call.parameters.get("eventTypes", ())
        call.opened = self._channels.open(calendar, call.account, call.client_id, call.request.json(), types)
        return self._channels.answer(call.opened)

    def _stop(self, call: ApiCall) -> None:
        self._channels.stop(call.account, call.client_id, call.request.json())


def _conferences(call: ApiCall) -> bool:
    return int(call.parameters.get("conferenceDataVersion", 0)) >= 1
