"""A listing under way: what it has read so far, and where from. Filled by `fetch_changes` and `ask_google`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.clients.google.calendar import Access, GoogleCalendar
from sync.core.meetings.privacy import without_private_content
from sync.core.meetings.translate import cleaned, event_from_google, is_storable
from sync.core.series.instance_ids import base_event_id
from sync.jobs.syncing.change_buffer import ChangeBuffer
from sync.model import Event, SetAside
from sync.states import SetAsideReason

FALLBACK_ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept of a listing: of a full one only what is not over by `since`; of private events no content, if
    `hide_private`."""

    since: dt.datetime
    hide_private: bool


@dataclass(slots=True)
class Listing:
    """The progress and result of listing. `sync_token`: None if Google ended it without one. `departure`: why it is not
    as planned: a planned incremental listing that had to become full, or one without a token. `bare`: ids of tombstones
    that tell neither what they were nor whose. Of a delta, `ended`: ids of what was deleted and is no instance;
    `singles`: of what is neither series nor instance; `instances`: by their ids those it names, with the series that
    each is an instance of, None of a cancelled one; `kept`: ids of instances that live on without their series, as
    Google said when asked."""

    changes: ChangeBuffer
    items: int = 0
    sync_token: str | None = None
    time_zone: str = FALLBACK_ZONE
    calendar_name: str | None = None
    is_full: bool = False
    departure: str | None = None
    changed_at: list[dt.datetime] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    bare: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    singles: set[str] = field(default_factory=set)
    instances: dict[str, str | None] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Source:
    """What is listed, and how."""

    calendar: GoogleCalendar
    access: Access
    google_calendar_id: str
    sync_token: str | None
    page_size: int


def read_item(item: Any, listing: Listing, keep: Keep) -> Event | None:
    """The item as an event; None if it has no id, or if nothing can be made of it, which is noted."""
    event_id = item.get("id") if isinstance(item, Mapping) else None
    if not isinstance(event_id, str) or not event_id:
        return None
    try:
        if not is_storable(event_id):
            raise ValueError("an id that no database holds")
        return event_from_google(without_private_content(item) if keep.hide_private else item)
    except Exception as unreadable:  # noqa: BLE001 - whatever is odd about one item must not stop the others
        base_id = base_event_id(cleaned(event_id))
        listing.set_aside.append(SetAside(base_id, SetAsideReason.UNREADABLE, type(unreadable).__name__))
        return None


def usable_zone(name: str) -> str:
    """The zone's name if this machine knows it, else UTC."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return FALLBACK_ZONE
    return name
