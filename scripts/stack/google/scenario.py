"""What tests do to the calendars behind the API's back: seed, edit, split, share, and ask the oracle.

Owns the control API's calendar commands. They obey the editor's rules like any client, but need no tokens, scopes or
quota. Called by control_api.py with the store's lock held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from . import event_rules, series
from .editing import Editor
from .errors import ControlError, JsonObject
from .listing import Listing
from .presentation import Reader, present
from .selection import Query, Selector
from .store import Calendar, Record, Resource, Store
from .switches import Switches


class Scenario:
    """Calendar commands; every event comes back as the calendar's owner sees it."""

    def __init__(self, store: Store, switches: Switches, editor: Editor, listing: Listing) -> None:
        self._store = store
        self._switches = switches
        self._editor = editor
        self._listing = listing

    def add_calendar(
        self,
        email: str,
        calendar_id: str,
        *,
        summary: str | None = None,
        time_zone: str = "UTC",
        watchable: bool = True,
        access_role: str = "owner",
    ) -> None:
        """A further calendar on an account's list."""
        self._store.account(email)
        self._store.add_calendar(
            email,
            calendar_id,
            summary=summary or calendar_id,
            time_zone=time_zone,
            watchable=watchable,
            role=access_role,
        )

    def share_calendar(self, calendar_id: str, email: str, role: str) -> None:
        """Change an account's role; `none` takes the calendar away."""
        self._store.share(calendar_id, email, role)

    def hide_calendar(self, email: str, calendar_id: str, *, hidden: bool = True) -> None:
        """Hide a calendar in an account's list, or show it again."""
        self._store.hide(calendar_id, email, hidden=hidden)

    def _show(self, calendar: Calendar, event: Resource) -> JsonObject:
        reader = Reader(calendar.owner, "owner", calendar.time_zone)
        return present(calendar, Record(event, 0), reader, self._everything())

    def _everything(self) -> Switches:
        return replace(self._switches, tombstones="full", cancelled_exceptions="full", list_order="changed")

    def _named(self, calendar: Calendar, event_id: str) -> str:
        """An id as it is; `{base}_{original start}` also finds an instance whose own id is opaque."""
        if event_id in calendar.records or "_" not in event_id:
            return event_id
        return series.id_by_start(calendar, event_id, self._switches.reading()) or event_id

    def insert_event(self, calendar_id: str, body: JsonObject) -> JsonObject:
        """A new event."""
        calendar = self._store.calendar(calendar_id)
        return self._show(calendar, self._editor.insert(calendar, body, calendar.owner, conferences=True))

    def bulk_insert(self, calendar_id: str, bodies: list[JsonObject]) -> list[JsonObject]:
        """Many new events under one lock, so that they owe one notification together."""
        return [self.insert_event(calendar_id, body) for body in bodies]

    def patch_event(self, calendar_id: str, event_id: str, body: JsonObject) -> JsonObject:
        """Merge changes into an event or instance."""
        calendar = self._store.calendar(calendar_id)
        return self._show(
            calendar, self._editor.patch(calendar, self._named(calendar, event_id), body, conferences=True)
        )

    def update_event(self, calendar_id: str, event_id: str, body: JsonObject) -> JsonObject:
        """Replace an event or instance."""
        calendar = self._store.calendar(calendar_id)
        return self._show(
            calendar, self._editor.update(calendar, self._named(calendar, event_id), body, conferences=True)
        )

    def delete_event(self, calendar_id: str, event_id: str, keeping: Sequence[str] = ()) -> None:
        """Cancel an event, a series or an instance. `keeping`: edited instances that a guest keeps."""
        calendar = self._store.calendar(calendar_id)
        kept = {self._named(calendar, instance) for instance in keeping}
        if not kept <= {record.resource["id"] for record in calendar.exceptions_of(event_id)}:
            raise ControlError(f"a guest keeps only edited instances of {event_id}")
        self._editor.delete(calendar, self._named(calendar, event_id), keeping=kept)

    def move_event(self, calendar_id: str, event_id: str, destination: str) -> JsonObject:
        """Move an event to another calendar."""
        target = self._store.calendar(destination)
        return self._show(target, self._editor.move(self._store.calendar(calendar_id), event_id, target))

    def split_series(
        self, calendar_id: str, master_id: str, at: str, changes: JsonObject | None = None, style: str = "web"
    ) -> JsonObject:
        """Edit "this and following"; the new series."""
        calendar = self._store.calendar(calendar_id)
        _, following = self._editor.split(calendar, master_id, at, changes, web=style == "web")
        return self._show(calendar, following)

    def complete_conference(self, calendar_id: str, event_id: str, url: str) -> JsonObject:
        """The join link arrives."""
        calendar = self._store.calendar(calendar_id)
        return self._show(calendar, self._editor.complete_conference(calendar, self._named(calendar, event_id), url))

    def plant_item(self, calendar_id: str, item: Any) -> None:
        """What a listing says as it stands, checked by no rule; one with the same id takes its place."""
        event_id = item["id"] if isinstance(item, dict) and isinstance(item.get("id"), str) else event_rules.new_id()
        stub = {"id": event_id, "status": "cancelled"}
        self._store.put(self._store.calendar(calendar_id), stub, id_only=True, planted=(item,))

    def announce(self, calendar_id: str) -> None:
        """A notification without a change."""
        self._store.touch(self._store.calendar(calendar_id))

    def get_event(self, calendar_id: str, event_id: str) -> JsonObject:
        """An event, a deleted one, or an instance."""
        calendar = self._store.calendar(calendar_id)
        return self._show(calendar, self._editor.find(calendar, self._named(calendar, event_id)))

    def instances(self, calendar_id: str, time_min: str, time_max: str) -> list[JsonObject]:
        """The oracle: what a user sees between two times, expanded, nothing cancelled, by start."""
        calendar = self._store.calendar(calendar_id)
        parameters: dict[str, Any] = {"singleEvents": True, "orderBy": "startTime"}
        everything = self._everything()
        query = Query.of(parameters | {"timeMin": time_min, "timeMax": time_max}, self._store.clock.now(), everything)
        return [self._show(calendar, record.resource) for record in Selector(calendar, query, everything).full()]

    def expire_sync_tokens(self, calendar_id: str | None = None) -> None:
        """Every sync token issued so far answers 410: of one calendar, or of all."""
        calendars = [self._store.calendar(calendar_id)] if calendar_id else list(self._store.calendars.values())
        for calendar in calendars:
            calendar.tokens_expired_at = self._store.change
        self._store.change += 1
