"""Asks Google, one by one, after what a listing leaves open. Bounded. Called by `fetch_changes`, after the last page.

A bare tombstone of an id never seen tells nothing: it may stand for an occurrence that is shown. And a series that was
deleted takes its instances with it, but for those that a guest keeps, which a delta need not name: a full listing
would. One that became a single event has none, but for those restored since.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sync.core.series.event_spans import end_of
from sync.errors import ResyncNeeded
from sync.jobs.syncing.listing import Keep, Listing, Source, read_item
from sync.model import Event, SetAside
from sync.states import EventKind, SetAsideReason

# Of a delta: a full listing costs less than more of them. It
# names only cancelled instances of living series, and nothing else would tell whose they are.
MAX_ASKED = 25
MAX_ASKED_IN_FULL = 250

# The families of some ids, whole, as the mirror has them.
Mirrored = Callable[[set[str]], Sequence[Event]]


def ask_google(
    source: Source, listing: Listing, keep: Keep, between_pages: Callable[[], None], mirrored: Mirrored
) -> None:
    """Adds to the listing what Google says of each. Raises ResyncNeeded for a delta that leaves too much open."""
    unknown, instances = _left_open(listing, keep, mirrored)
    for event_id in unknown:
        event = _ask(source, listing, keep, between_pages, event_id)
        if event is not None and (event.kind is EventKind.EXCEPTION or not listing.is_full):
            listing.changes.add([event])
    for event_id in instances:
        event = _ask(source, listing, keep, between_pages, event_id)
        if event is not None and event.is_live:
            listing.kept.add(event_id)
            listing.changes.add([event])


def _ask(
    source: Source, listing: Listing, keep: Keep, between_pages: Callable[[], None], event_id: str
) -> Event | None:
    between_pages()
    item = source.calendar.get_event(source.access, source.google_calendar_id, event_id)
    return read_item(item, listing, keep)


def _left_open(listing: Listing, keep: Keep, mirrored: Mirrored) -> tuple[list[str], list[str]]:
    """Tombstones that nothing is known of, and instances of deleted series that may live on."""
    if listing.is_full:
        unknown = sorted(listing.bare)
        listing.set_aside += [
            SetAside(event_id, SetAsideReason.UNREADABLE, "unknown_tombstone")
            for event_id in unknown[MAX_ASKED_IN_FULL:]
        ]
        return unknown[:MAX_ASKED_IN_FULL], []
    wanted = listing.bare | listing.ended
    members = mirrored(wanted) if wanted else ()
    # Not known is an instance that the mirror holds as cancelled already: cancelled again, it may be one of the series
    # that was split off, whose instances have the same ids.
    known = {event.id for event in members if event.is_live or event.kind is not EventKind.EXCEPTION}
    unknown = sorted(listing.bare - known)
    unlisted = {event.id for event in members if _may_live_on(event, listing, keep)}
    # One that is listed may come from a page that is older than the end of its series, which may be a single event now.
    ended = listing.ended | listing.singles
    instances = sorted(unlisted | {each for each, series in listing.instances.items() if series in ended})
    if len(unknown) > MAX_ASKED:
        raise ResyncNeeded("unknown_tombstones")
    if len(unknown) + len(instances) > MAX_ASKED:
        raise ResyncNeeded("instances_without_series")
    return unknown, instances


def _may_live_on(event: Event, listing: Listing, keep: Keep) -> bool:
    """Whether a delta that deletes the event's series leaves open what became of the event."""
    return (
        event.kind is EventKind.EXCEPTION
        and event.is_live
        and event.series_id in listing.ended
        and event.id not in listing.instances
        and (event.end is None or end_of(event.end, listing.time_zone) > keep.since)
    )
