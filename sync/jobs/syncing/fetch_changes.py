"""Lists what changed in a calendar, page after page, and recovers from tokens that Google no longer takes. Bounded.

A token is handed on only with the last page. Nothing is written here, so a listing that breaks off leaves nothing
half-done. Called by `jobs/syncing/sync_calendar`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

from sync.clients.google.answers import PagesTurned
from sync.clients.google.calendar import PAGE_SIZE, Access, GoogleCalendar
from sync.core.meetings.families import can_still_matter
from sync.core.meetings.translate import cleaned
from sync.errors import AnswerTooLarge, PageTokenRejected, ResyncNeeded, RetryLater
from sync.jobs.syncing.ask_google import Mirrored, ask_google
from sync.jobs.syncing.change_buffer import ChangeBuffer
from sync.jobs.syncing.listing import FALLBACK_ZONE, Keep, Listing, Source, read_item, usable_zone
from sync.model import Event, EventsPage
from sync.states import EventKind

# Listings begun in one sync: the planned one, one after a rejected page token, one after an expired sync token, and
# one more.
MAX_LISTINGS = 4
# Pages may be short; a calendar of 100,000 events in pages a tenth full has 4000.
MAX_PAGES = 5000
# Of a calendar's name, which is only shown.
MAX_NAME_CHARACTERS = 200


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
    mirrored: Mirrored,
) -> Listing:
    """All changes since `sync_token` (None: everything that can still matter), with the token that follows them.

    Where no page names a zone, the calendar's is `known_zone`. `changes` takes them. `between_pages` may raise to break
    off. `mirrored`: the families of some ids as the mirror has them; what they and the listing leave open, Google is
    asked. Raises the typed failures of `GoogleCalendar.list_events`, and RetryLater for a listing that goes in circles
    or has no end.
    """
    departure, page_size = None, PAGE_SIZE
    for _ in range(MAX_LISTINGS):
        changes.clear()
        listing = Listing(changes, is_full=sync_token is None, time_zone=known_zone or FALLBACK_ZONE)
        source = Source(calendar, access, google_calendar_id, sync_token, page_size)
        try:
            _list_all(source, listing, keep, between_pages)
            if sync_token and known_zone and listing.time_zone != known_zone:
                # All-day events stand at midnight of the calendar's zone: all of them move.
                raise ResyncNeeded("time_zone_changed")
            ask_google(source, listing, keep, between_pages, mirrored)
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


def _list_all(source: Source, listing: Listing, keep: Keep, between_pages: Callable[[], None]) -> None:
    """A page is taken while Google makes the next one."""
    page_token = None
    turned = PagesTurned(MAX_PAGES)
    taking: Future[None] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="take") as beside:
        while True:
            page = source.calendar.list_events(
                source.access,
                source.google_calendar_id,
                sync_token=source.sync_token,
                page_token=page_token,
                page_size=source.page_size,
            )
            if taking:
                taking.result()
            # An empty page may have a successor; only the token says where the listing ends.
            if page.next_page_token is None:
                break
            page_token = page.next_page_token
            turned.to(page_token)
            taking = beside.submit(copy_context().run, _take, page, listing, keep)
            between_pages()
    _take(page, listing, keep)
    listing.sync_token = page.next_sync_token


def _take(page: EventsPage, listing: Listing, keep: Keep) -> None:
    if page.time_zone:
        listing.time_zone = usable_zone(page.time_zone)
    if page.calendar_name:
        listing.calendar_name = cleaned(page.calendar_name)[:MAX_NAME_CHARACTERS]
    listing.items += len(page.items)
    events: list[Event] = []
    for item in page.items:
        event = read_item(item, listing, keep)
        if event is None:
            continue
        _note(event, listing)
        if listing.is_full and _is_over(event, listing, keep):
            listing.changes.drop(event)
            continue
        if event.updated_at and not listing.is_full:
            listing.changed_at.append(event.updated_at)
        events.append(event)
    listing.changes.add(events)


def _note(event: Event, listing: Listing) -> None:
    """What `ask_google` needs to know of it."""
    is_instance = event.kind is EventKind.EXCEPTION
    if not event.is_live and not is_instance and event.start is None and not event.recurrence:
        listing.bare.add(event.id)
    if listing.is_full:
        return
    if is_instance:
        listing.instances[event.id] = event.series_id if event.is_live else None
    elif not event.is_live:
        listing.ended.add(event.id)
    elif event.kind is EventKind.SINGLE:
        listing.singles.add(event.id)


def _is_over(event: Event, listing: Listing, keep: Keep) -> bool:
    try:
        return not can_still_matter(event, keep.since, listing.time_zone)
    except Exception:  # noqa: BLE001 - of what is odd about its times the family is judged by, whole
        return False
