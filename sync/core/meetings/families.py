"""Event families: merging a delta into what the mirror holds. Pure. `derive` makes their meetings.

A family is all that shares a namespace of instance ids: a single event alone, or a series with the series split off it
and all their exceptions. It is the unit of change: a delta that names one of its items has the whole family derived
anew, so no order of items, pages or deltas matters. Called by the sync (deltas, full lists) and the horizon's roll.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync.core.meetings.derive import is_series
from sync.core.series.event_spans import end_of, start_of
from sync.core.series.instance_ids import instance_id
from sync.core.series.recurrence import BadRecurrence, occurrence_starts, unread_lines
from sync.model import Event, MirrorRow, Window
from sync.states import EventKind


@dataclass(frozen=True, slots=True)
class Merged:
    """Families after a delta. `changed`: mirror rows to write. `forgotten`: ids whose rows have no meaning any more,
    with their family's."""

    families: Mapping[str, tuple[Event, ...]]
    changed: tuple[Event, ...]
    forgotten: Mapping[str, str]


def by_family(events: Iterable[Event]) -> dict[str, tuple[Event, ...]]:
    """Events grouped by base id."""
    families: dict[str, list[Event]] = {}
    for event in events:
        families.setdefault(event.base_id, []).append(event)
    return {base_id: tuple(members) for base_id, members in families.items()}


def merge(stored: Iterable[Event], delta: Sequence[Event], calendar_zone: str, kept: Collection[str] = ()) -> Merged:
    """The touched families as they are now. `stored`: their mirror rows; `delta`: items in the order listed; `kept`:
    instances in it that live on though their series ended.

    A series that ended takes its exceptions with it, and one whose rule or start changed those it no longer makes:
    Google may list them as cancelled, or not at all. An instance that was cancelled by itself stays so if its series
    comes back.
    """
    before = {event.id: event for event in stored}
    latest = {event.id: _as_known(event, before.get(event.id)) for event in delta}
    forgotten = {
        event.id
        for event in before.values()
        if event.kind is EventKind.EXCEPTION
        and event.is_live
        and event.id not in latest
        and _loses_its_place(event, before.get(event.series_id or ""), latest.get(event.series_id or ""), calendar_zone)
    }
    ended = {
        event.id: event for event in latest.values() if event.kind is not EventKind.EXCEPTION and not is_series(event)
    }
    for event in latest.values():
        if (
            event.kind is EventKind.EXCEPTION
            and event.series_id in ended
            and event.id not in kept
            and not _outlives(event, ended[event.series_id])
        ):
            forgotten.add(event.id)
    items = before | latest
    families = by_family(event for event_id, event in items.items() if event_id not in forgotten)
    for event in latest.values():
        families.setdefault(event.base_id, ())
    changed = tuple(event for event in latest.values() if event.id not in forgotten)
    return Merged(families, changed, {event_id: items[event_id].base_id for event_id in sorted(forgotten)})


def _as_known(event: Event, known: Event | None) -> Event:
    """A bare tombstone {id, status} of an exception whose id does not tell its series (Google calls ids opaque):
    linked by what the mirror holds of it."""
    if event.is_live or event.kind is EventKind.EXCEPTION or known is None or known.kind is not EventKind.EXCEPTION:
        return event
    link = {name: known.details[name] for name in ("recurringEventId", "originalStartTime") if name in known.details}
    return replace(
        event,
        base_id=known.base_id,
        kind=known.kind,
        series_id=known.series_id,
        original_start=known.original_start,
        details={**event.details, **link},
    )


def _loses_its_place(exception: Event, old: Event | None, new: Event | None, calendar_zone: str) -> bool:
    """Whether a delta that has the exception's series (`old` before, `new` now) leaves no occurrence for it."""
    if new is None or new.kind is EventKind.EXCEPTION:
        return False
    if not is_series(new):
        # What lived on without its series, or was restored since, does not depend on the single event that it became.
        return not new.is_live or (old is not None and is_series(old))
    # What the series never made (imported so, or the only instance one was invited to) does not depend on its rule.
    if old is None or (old.start, old.recurrence) == (new.start, new.recurrence):
        return False
    if unread_lines(new.recurrence):
        return False  # what was set aside may make it
    try:
        return _makes(old, exception, calendar_zone) and not _makes(new, exception, calendar_zone)
    except BadRecurrence:
        return False


def _makes(series: Event, exception: Event, calendar_zone: str) -> bool:
    """Whether the occurrence that the exception stands for is one of the series. Raises BadRecurrence."""
    if not is_series(series) or series.start is None or exception.original_start is None:
        return False
    at = start_of(exception.original_start, calendar_zone)
    moment = Window(at, at + dt.timedelta(seconds=1))
    starts = occurrence_starts(series.start, series.recurrence, moment, dt.timedelta(0), calendar_zone)
    wanted = instance_id(series.base_id, exception.original_start)
    return any(instance_id(series.base_id, start) == wanted for start in starts)


def _outlives(exception: Event, end_of_series: Event) -> bool:
    """Whether an exception that is listed with the deletion of its series stays (a guest of one instance): a full
    listing would have it. Not if it was touched before the series was deleted: then a page is older than the other."""
    if not exception.is_live or end_of_series.is_live:
        return False
    if exception.updated_at is None or end_of_series.updated_at is None:
        return True
    return exception.updated_at > end_of_series.updated_at


def can_still_matter(event: Event, horizon_start: dt.datetime, calendar_zone: str) -> bool:
    """Whether a full sync keeps an item: all of a series, for history follows whole families only; singles that are
    not over."""
    if event.kind is EventKind.EXCEPTION:
        return True
    if event.kind is EventKind.SERIES:
        return event.is_live
    if not event.is_live or event.start is None or event.end is None:
        return False
    ends = end_of(event.end, calendar_zone)
    # An event without length, or one that ends before it begins, is over once its start has passed.
    return ends > horizon_start or start_of(event.start, calendar_zone) >= horizon_start


def mirror_row(event: Event, calendar_zone: str) -> MirrorRow:
    """The event as the mirror stores it."""
    return MirrorRow(
        google_event_id=event.id,
        base_event_id=event.base_id,
        recurring_event_id=event.series_id,
        kind=event.kind,
        status=event.status,
        starts_at=start_of(event.start, calendar_zone) if event.start else None,
        ends_at=end_of(event.end, calendar_zone) if event.end else None,
        original_start_at=start_of(event.original_start, calendar_zone) if event.original_start else None,
        google_updated_at=event.updated_at,
        details=event.details,
    )
