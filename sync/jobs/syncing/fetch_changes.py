"""Lists what changed in a calendar, page after page, and recovers from tokens that Google no longer takes. Bounded.

A token is handed on only with the last page. Nothing is written here, so a listing that breaks off leaves nothing
half-done. Called by `jobs/syncing/sync_calendar`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.clients.google.calendar import PAGE_SIZE, Access, GoogleCalendar, PagesTurned
from sync.core.meetings.families import can_still_matter
from sync.core.meetings.privacy import without_private_content
from sync.core.meetings.translate import cleaned, event_from_google, is_storable
from sync.core.series.instance_ids import base_event_id
from sync.errors import AnswerTooLarge, PageTokenRejected, ResyncNeeded, RetryLater
from sync.jobs.syncing.change_buffer import ChangeBuffer
from sync.model import Event, EventsPage, SetAside
from sync.states import EventKind, SetAsideReason

# Listings begun in one sync: the planned one, one after a rejected page token, one after an expired sync token, and
# one more.
MAX_LISTINGS = 4
# Pages may be short; a calendar of 100,000 events in pages a tenth full has 4000.
MAX_PAGES = 5000
FALLBACK_ZONE = "UTC"
# Bare tombstones of ids never seen that are asked after one by one; a full listing costs less than more of them. It
# names only cancelled instances of living series, and nothing else would tell whose they are.
MAX_ASKED = 25
MAX_ASKED_IN_FULL = 250
# Of a calendar's name, which is only shown.
MAX_NAME_CHARACTERS = 200


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
    that tell neither what they were nor whose."""

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


def fetch_changes(
    calendar: GoogleCalendar,
    access: Access,
    google_calendar_id: str,
    *,
    sync_token: str | None,
    known_zone: str | None,
    keep: Keep,
    changes: ChangeBuffer,
    between_pages: Callable[[], None],
    known_among: Callable[[set[str]], set[str]] = set,
) -> Listing:
    """All changes since `sync_token` (None: everything that can still matter), with the token that follows them.

    Where no page names a zone, the calendar's is `known_zone`. `changes` takes them.
    `between_pages` may raise to break off. `known_among`: which of some ids the mirror has; Google is asked what the
    others were. Raises the typed failures of `GoogleCalendar.list_events`, and RetryLater for a listing that goes in
    circles or has no end.
    """
    departure, page_size = None, PAGE_SIZE
    for _ in range(MAX_LISTINGS):
        changes.clear()
        listing = Listing(changes, is_full=sync_token is None, time_zone=known_zone or FALLBACK_ZONE)
        source = _Source(calendar, access, google_calendar_id, sync_token, page_size)
        try:
            _list_all(source, listing, keep, between_pages)
            if sync_token and known_zone and listing.time_zone != known_zone:
                # All-day events stand at midnight of the calendar's zone: all of them move.
                raise ResyncNeeded("time_zone_changed")
            _ask_for_unknown(source, listing, keep, between_pages, known_among)
        except PageTokenRejected:
            pass
        except AnswerTooLarge:
            # From the beginning: a page token belongs to the size of the pages that it continues.
            page_size //= 2
        except ResyncNeeded as expired:
            if sync_token is None:
                # A full listing has no token that could be expired: Google is not itself.
                raise RetryLater(f"full_listing_{expired.code}") from expired
            sync_token, departure = None, expired.code
        else:
            listing.departure = departure if listing.sync_token else "ended_without_sync_token"
            return listing
        between_pages()
    raise RetryLater("listing_keeps_breaking")


@dataclass(frozen=True, slots=True)
class _Source:
    """What is listed, and how."""

    calendar: GoogleCalendar
    access: Access
    google_calendar_id: str
    sync_token: str | None
    page_size: int


def _list_all(source: _Source, listing: Listing, keep: Keep, between_pages: Callable[[], None]) -> None:
    page_token = None
    turned = PagesTurned(MAX_PAGES)
    while True:
        page = source.calendar.list_events(
            source.access,
            source.google_calendar_id,
            sync_token=source.sync_token,
            page_token=page_token,
            page_size=source.page_size,
        )
        _take(page, listing, keep)
        # An empty page may have a successor; only the token says where the listing ends.
        if page.next_page_token is None:
            break
        page_token = page.next_page_token
        turned.to(page_token)
        between_pages()
    listing.sync_token = page.next_sync_token


def _take(page: EventsPage, listing: Listing, keep: Keep) -> None:
    if page.time_zone:
        listing.time_zone = usable_zone(page.time_zone)
    if page.calendar_name:
        listing.calendar_name = cleaned(page.calendar_name)[:MAX_NAME_CHARACTERS]
    listing.items += len(page.items)
    events: list[Event] = []
    for item in page.items:
        event = _read(item, listing, keep)
        if event is None:
            continue
        if _is_bare(event):
            listing.bare.add(event.id)
        if listing.is_full and _is_over(event, listing, keep):
            listing.changes.drop(event)
            continue
        if event.updated_at and not listing.is_full:
            listing.changed_at.append(event.updated_at)
        events.append(event)
    listing.changes.add(events)


def _unknown(listing: Listing, known_among: Callable[[set[str]], set[str]]) -> list[str]:
    """The tombstones that nothing is known of. An instance's id need not tell its series, so any of them may stand for
    an occurrence that is shown."""
    if listing.is_full:
        unknown = sorted(listing.bare)
        listing.set_aside += [
            SetAside(event_id, SetAsideReason.UNREADABLE, "unknown_tombstone")
            for event_id in unknown[MAX_ASKED_IN_FULL:]
        ]
        return unknown[:MAX_ASKED_IN_FULL]
    unknown = sorted(listing.bare - known_among(listing.bare)) if listing.bare else []
    if len(unknown) > MAX_ASKED:
        raise ResyncNeeded("unknown_tombstones")
    return unknown


def _ask_for_unknown(
    source: _Source,
    listing: Listing,
    keep: Keep,
    between_pages: Callable[[], None],
    known_among: Callable[[set[str]], set[str]],
) -> None:
    for event_id in _unknown(listing, known_among):
        between_pages()
        item = source.calendar.get_event(source.access, source.google_calendar_id, event_id)
        event = _read(item, listing, keep)
        if event is not None and (event.kind is EventKind.EXCEPTION or not listing.is_full):
            listing.changes.add([event])


def _is_over(event: Event, listing: Listing, keep: Keep) -> bool:
    try:
        return not can_still_matter(event, keep.since, listing.time_zone)
    except Exception:  # noqa: BLE001 - of what is odd about its times the family is judged by, whole
        return False


def _is_bare(event: Event) -> bool:
    return not event.is_live and event.kind is EventKind.SINGLE and event.start is None and not event.recurrence


def _read(item: Any, listing: Listing, keep: Keep) -> Event | None:
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
