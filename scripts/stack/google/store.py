"""Everything the emulator remembers of calendars: accounts, calendars, events and the change log.

Owns the one lock, the change counter and visibility of calendars per account. Refuses no event: the rules of editing
live in editing.py. Resources are replaced, never mutated, so a listing that is being paged keeps a consistent picture.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock, rfc3339
from .errors import ControlError, GoogleError, JsonObject, not_found

Resource = JsonObject
ROLES = ("freeBusyReader", "reader", "writer", "owner")


@dataclass(frozen=True)
class Record:
    """The latest state of one event and the number of the change that made it.

    `planted` holds, if anything, what a listing says in its place, whatever that is.
    """

    resource: Resource
    change: int
    id_only: bool = False  # the stub a move leaves behind
    planted: tuple[Any, ...] = ()


@dataclass
class Calendar:
    """One calendar; a primary one has its account's email as id."""

    id: str
    summary: str
    time_zone: str
    owner: str
    watchable: bool = True
    acl: dict[str, str] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    # Sync tokens issued at or before these change numbers have expired: for everyone, and per account (ACL changes).
    tokens_expired_at: int = -1
    acl_changed_at: dict[str, int] = field(default_factory=dict)

    def live(self, event_id: str) -> Resource | None:
        """The event unless it is unknown or cancelled."""
        record = self.records.get(event_id)
        return record.resource if record and record.resource["status"] != "cancelled" else None

    def masters(self) -> Iterator[Resource]:
        """Every live series."""
        for record in list(self.records.values()):
            if record.resource.get("recurrence") and record.resource["status"] != "cancelled":
                yield record.resource

    def exceptions_of(self, master_id: str) -> list[Record]:
        """Every exception of a series, cancelled ones included."""
        return [item for item in self.records.values() if item.resource.get("recurringEventId") == master_id]


@dataclass
class Account:
    """One Google account. `list_changes` says when each calendarList entry last changed, `hidden` which are hidden."""

    email: str
    time_zone: str
    list_changes: dict[str, int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)


class Store:
    """All accounts and calendars behind one lock; callers hold `lock` around any use."""

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.accounts: dict[str, Account] = {}
        self.calendars: dict[str, Calendar] = {}
        self.change = 0
        self._touched: dict[str, set[str]] = {}

    def add_account(self, email: str, time_zone: str) -> Account:
        """Create an account with its primary calendar, or return the one there is."""
        if email not in self.accounts:
            self.accounts[email] = Account(email, time_zone)
            self.add_calendar(email, email, summary=email, time_zone=time_zone, watchable=True, role="owner")
        return self.accounts[email]

    def add_calendar(
        self, email: str, calendar_id: str, *, summary: str, time_zone: str, watchable: bool, role: str
    ) -> Calendar:
        """Create a calendar on an account's list. A role below owner models somebody else's calendar."""
        if calendar_id in self.calendars:
            raise ControlError(f"calendar {calendar_id} exists; use share_calendar")
        owner = email if role == "owner" else f"owner-of-{calendar_id}"
        self.calendars[calendar_id] = Calendar(calendar_id, summary, time_zone, owner, watchable)
        self.share(calendar_id, email, role)
        return self.calendars[calendar_id]

    def share(self, calendar_id: str, email: str, role: str) -> None:
        """Give an account a role, or take it away with `none`; an ACL change expires that account's sync tokens."""
        if role not in (*ROLES, "none"):
            raise ControlError(f"a role is one of {ROLES} or none, not {role!r}")
        calendar, account = self.calendar(calendar_id), self.account(email)
        self.change += 1
        if role == "none":
            calendar.acl.pop(email, None)
        else:
            calendar.acl[email] = role
        calendar.acl_changed_at[email] = self.change
        account.list_changes[calendar_id] = self.change

    def hide(self, calendar_id: str, email: str, *, hidden: bool) -> None:
        """Hide a calendar in an account's list, or show it again; access and sync tokens of its events stay."""
        account = self.account(email)
        if calendar_id not in account.list_changes:
            raise ControlError(f"{calendar_id} is not on the list of {email}")
        if calendar_id == email:
            raise ControlError("a primary calendar cannot be hidden")
        self.change += 1
        account.list_changes[calendar_id] = self.change
        (account.hidden.add if hidden else account.hidden.discard)(calendar_id)

    def account(self, email: str) -> Account:
        """The account; `ControlError` if there is none."""
        if email not in self.accounts:
            raise ControlError(f"no account {email}; add_account first")
        return self.accounts[email]

    def calendar(self, calendar_id: str) -> Calendar:
        """The calendar by its real id; `ControlError` if there is none."""
        if calendar_id not in self.calendars:
            raise ControlError(f"no calendar {calendar_id}; add_calendar first")
        return self.calendars[calendar_id]

    def visible_calendar(self, calendar_id: str, email: str, *, write: bool = False) -> Calendar:
        """The calendar as an account may use it; 404 without access, 403 without the needed role."""
        calendar = self.calendars.get(email if calendar_id == "primary" else calendar_id)
        if calendar is None or email not in calendar.acl:
            raise not_found()
        if write and calendar.acl[email] not in ("writer", "owner"):
            message = "You need to have writer access to this calendar."
            raise GoogleError(403, "requiredAccessLevel", message, domain="calendar")
        return calendar

    def put(
        self, calendar: Calendar, resource: Resource, *, id_only: bool = False, planted: tuple[Any, ...] = ()
    ) -> Resource:
        """Store an event's new state: next change number, `updated` and `etag`."""
        self.change += 1
        stamped = resource | {"updated": rfc3339(self.clock.now()), "etag": f'"{self.change * 2:016d}"'}
        # Re-inserting moves the record to the end: the dict stays in order of change.
        calendar.records.pop(resource["id"], None)
        calendar.records[resource["id"]] = Record(stamped, self.change, id_only, planted)
        self.touch(calendar, resource.get("eventType", "default"))
        return stamped

    def touch(self, calendar: Calendar, event_type: str = "default") -> None:
        """Owe a notification for a calendar."""
        self._touched.setdefault(calendar.id, set()).add(event_type)

    def take_touched(self) -> dict[str, set[str]]:
        """The calendars changed since the last call, with the event types; these are owed a notification."""
        touched, self._touched = self._touched, {}
        return touched
