"""events.list, events.instances and calendarList.list: pages, tokens and the envelope around the items.

Owns paging and what a listing refuses. Called by events_api.py and, for the oracle, by scenario.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import GoogleError, JsonObject
from .presentation import Reader, present
from .selection import Query, Selector
from .store import Calendar, Record, Store
from .switches import Switches
from .sync_tokens import Snapshot, SyncToken, Tokens, check_sync_query, fingerprint

DEFAULT_REMINDERS = [{"method": "popup", "minutes": 10}]
EVENTS_PAGE, EVENTS_PAGE_MAX = 250, 2500
CALENDARS_PAGE, CALENDARS_PAGE_MAX = 100, 250


@dataclass(frozen=True)
class PageEffects:
    """What faults do to this page: fewer items than asked, and `oddities`, the kinds of faults.py that strike it."""

    size: int | None = None
    oddities: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """No item at all, with more to come."""
        return "empty_page" in self.oddities

    @property
    def unending(self) -> bool:
        """Another page is promised, also where there is none."""
        return bool(self.oddities & {"endless_pages", "repeated_page_token"})


class Listing:
    """Answers every listing call."""

    def __init__(self, store: Store, switches: Switches, tokens: Tokens) -> None:
        self._store = store
        self._switches = switches
        self._tokens = tokens

    def events(
        self, calendar: Calendar, reader: Reader, parameters: dict[str, Any], effects: PageEffects
    ) -> JsonObject:
        """events.list."""
        if parameters.get("orderBy") == "startTime" and not parameters.get("singleEvents"):
            message = "The requested ordering is not available for the particular query."
            raise GoogleError(400, "invalid", message, location="orderBy")
        since = self._since(calendar.id, calendar, reader.email, parameters)
        query = Query.of(parameters, self._store.clock.now(), self._switches)

        def select() -> list[Record]:
            selector = Selector(calendar, query, self._switches)
            return selector.incremental(since.change) if since else selector.full()

        # Google gives no sync token for a listing ordered by start time.
        subject = None if parameters.get("orderBy") == "startTime" else calendar.id
        page = self._page(select, since, subject, reader.email, parameters, effects, (EVENTS_PAGE, EVENTS_PAGE_MAX))
        envelope = self._envelope(calendar, reader) | self._shown(calendar, reader, page)
        return envelope | ({"timeZone": ""} if "empty_time_zone" in effects.oddities else {})

    def instances(
        self, calendar: Calendar, master: Record, reader: Reader, parameters: dict[str, Any], effects: PageEffects
    ) -> JsonObject:
        """events.instances."""
        query = Query.of(parameters, self._store.clock.now(), self._switches)

        def select() -> list[Record]:
            return Selector(calendar, query, self._switches).instances(master)

        page = self._page(select, None, None, reader.email, parameters, effects, (EVENTS_PAGE, EVENTS_PAGE_MAX))
        return self._envelope(calendar, reader) | self._shown(calendar, reader, page)

    def calendars(self, email: str, parameters: dict[str, Any], effects: PageEffects) -> JsonObject:
        """calendarList.list."""
        subject = f"calendarList of {email}"
        since = self._since(subject, None, email, parameters)

        def select() -> list[JsonObject]:
            return self._calendar_entries(email, parameters, since)

        sizes = (CALENDARS_PAGE, CALENDARS_PAGE_MAX)
        page = self._page(select, since, subject, email, parameters, effects, sizes)
        if "empty_time_zone" in effects.oddities:
            page["items"] = [item | {"timeZone": ""} for item in page["items"]]
        return {"kind": "calendar#calendarList", "etag": f'"{self._store.change:016d}"'} | page

    def _since(
        self, subject: str, calendar: Calendar | None, email: str, parameters: dict[str, Any]
    ) -> SyncToken | None:
        text = parameters.get("syncToken")
        if text is None:
            return None
        check_sync_query(parameters)
        token = self._tokens.read_sync(text, subject, email, parameters)
        self._tokens.check_fresh(token, calendar)
        return token

    def _page(
        self,
        select: Callable[[], list[Any]],
        since: SyncToken | None,
        subject: str | None,
        email: str,
        parameters: dict[str, Any],
        effects: PageEffects,
        sizes: tuple[int, int],
    ) -> JsonObject:
        """One page of a snapshot taken at the first: `items` and one of nextPageToken, nextSyncToken, neither."""
        if "pageToken" in parameters:
            name, snapshot, offset, number = self._tokens.read_page(parameters["pageToken"], parameters)
        else:
            snapshot = Snapshot(fingerprint(parameters, for_sync=False), select(), self._store.change, since)
            name, offset, number = "", 0, 1
        size = min(parameters.get("maxResults", sizes[0]), sizes[1], self._switches.page_size_limit)
        size = 0 if effects.empty else min(size, effects.size or size)
        following = offset + size
        page: JsonObject = {"items": snapshot.items[offset:following]}
        if following < len(snapshot.items) or effects.empty or effects.unending:
            name = name or self._tokens.keep(snapshot)
            page["nextPageToken"] = self._tokens.mint_page(name, following, number + 1)
            if "repeated_page_token" in effects.oddities:
                page["nextPageToken"] = parameters.get("pageToken", page["nextPageToken"])
            return page
        if "empty_page_token" in effects.oddities:
            page["nextPageToken"] = ""
        if subject is not None and "no_sync_token" not in effects.oddities:
            page["nextSyncToken"] = self._tokens.mint_sync(subject, email, snapshot, parameters)
        return page

    def _shown(self, calendar: Calendar, reader: Reader, page: JsonObject) -> JsonObject:
        return page | {"items": [present(calendar, record, reader, self._switches) for record in page["items"]]}

    def _envelope(self, calendar: Calendar, reader: Reader) -> JsonObject:
        records = list(calendar.records.values())
        updated = max((record.resource["updated"] for record in records), default="1970-01-01T00:00:00.000Z")
        return {
            "kind": "calendar#events",
            "etag": f'"p{records[-1].change if records else 0:015d}"',
            "summary": calendar.summary,
            "description": "",
            "updated": updated,
            "timeZone": reader.zone,
            "accessRole": reader.role,
            "defaultReminders": DEFAULT_REMINDERS,
        }

    def _calendar_entries(self, email: str, parameters: dict[str, Any], since: SyncToken | None) -> list[JsonObject]:
        account = self._store.account(email)
        least = parameters.get("minAccessRole", "freeBusyReader")
        entries = []
        for calendar_id, change in sorted(account.list_changes.items(), key=lambda item: item[1]):
            entry = self.calendar_entry(email, calendar_id)
            if entry.get("deleted") and not (since or parameters.get("showDeleted")):
                continue
            if entry.get("hidden") and not (since or parameters.get("showHidden")):
                continue
            if (since and change <= since.change) or not _reaches(entry.get("accessRole", "owner"), least):
                continue
            entries.append(entry)
        return entries

    def calendar_entry(self, email: str, calendar_id: str) -> JsonObject:
        """One calendarList resource; a calendar the account lost is `deleted`."""
        calendar = self._store.calendar(calendar_id)
        change = self._store.account(email).list_changes[calendar_id]
        entry: JsonObject = {"kind": "calendar#calendarListEntry", "etag": f'"{change:016d}"', "id": calendar_id}
        if email not in calendar.acl:
            return entry | {"deleted": True}
        entry |= {"summary": calendar.summary, "timeZone": calendar.time_zone, "accessRole": calendar.acl[email]}
        entry |= {
            "selected": calendar_id not in self._store.account(email).hidden,
            "colorId": "14",
            "defaultReminders": DEFAULT_REMINDERS,
        }
        entry |= {"hidden": True} if calendar_id in self._store.account(email).hidden else {}
        return entry | ({"primary": True} if calendar_id == email else {})


def _reaches(role: str, least: str) -> bool:
    order = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
    return order.index(role) >= order.index(least)
