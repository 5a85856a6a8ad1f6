"""From listed items to what a commit writes: whole families, in parts of bounded cost. Pure.

Called by `jobs/syncing/commit_changes`, and by the horizon's roll. A part fits a payload and a statement's time. A
family larger than a part comes in chunks, of which the last one ends what none of them names.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sync.core.meetings.derive import derive
from sync.core.meetings.evidence import ended_occurrences, known_from
from sync.core.meetings.families import by_family, can_still_matter, merge, mirror_row
from sync.core.meetings.packing import packed
from sync.core.series.event_spans import start_of
from sync.core.series.recurrence import BadRecurrence, next_start
from sync.model import Event, FamilyPart, SetAside, SyncPart, Window
from sync.states import EventKind, SetAsideReason

# How far back rows of history follow a change of their series. Further back they stay as they were.
HISTORY_DAYS = 400

# What is made in a few milliseconds: so many events, none of which recurs within a day or names many dates.
QUICK_EVENTS = 50
QUICK_CHARACTERS = 1000
_WITHIN_A_DAY = re.compile("HOURLY|MINUTELY|SECONDLY|BYHOUR|BYMINUTE|BYSECOND", re.IGNORECASE)

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class FamilyChange:
    """One family as a listing leaves it. `members`: all of it, to derive from; `written`: those the mirror is to take
    over; `forgotten`: ids whose mirror rows have no meaning any more; `earliest`: the start of its first row. `alone`:
    `members` are exceptions that concern no occurrence but their own (`core/meetings/exceptions`)."""

    base_id: str
    members: tuple[Event, ...]
    written: tuple[Event, ...]
    forgotten: tuple[str, ...] = ()
    earliest: dt.datetime | None = None
    alone: bool = False


def horizon_at(now: dt.datetime, past_days: int, future_days: int) -> Window:
    return Window(now - dt.timedelta(days=past_days), now + dt.timedelta(days=future_days))


def history_start(horizon: Window) -> dt.datetime:
    """Rows that began before stay as they are, whatever becomes of what made them."""
    return horizon.start - dt.timedelta(days=HISTORY_DAYS)


def delta_changes(
    stored: Iterable[Event],
    delta: Sequence[Event],
    earliest: Mapping[str, dt.datetime],
    calendar_zone: str,
    set_aside: list[SetAside],
    kept: Collection[str] = (),
) -> list[FamilyChange]:
    """The families that a delta touches. `stored`: the mirror's rows of them; `earliest`: the first start among the
    meetings of each that has any, so that history follows the series it belongs to; `kept`: as `merge` has it.
    A family that is in `set_aside` stays out whole; one that cannot be merged goes there."""
    before = by_family(stored)
    homes = {event.id: event.base_id for members in before.values() for event in members}
    named: dict[str, list[Event]] = {}
    for event in delta:
        # A bare tombstone may not tell its family: the mirror does.
        named.setdefault(homes.get(event.id, event.base_id), []).append(event)

    def change(base_id: str) -> FamilyChange:
        merged = merge(before.get(base_id, ()), named[base_id], calendar_zone, kept)
        members = merged.families.get(base_id, ())
        return FamilyChange(base_id, members, merged.changed, tuple(sorted(merged.forgotten)), earliest.get(base_id))

    return _changed(named, change, set_aside)


def over_families(events: Iterable[Event], horizon_start: dt.datetime, calendar_zone: str) -> set[str]:
    """The base ids of which a full listing has nothing that can still matter."""

    def matters(event: Event) -> bool:
        try:
            return can_still_matter(event, horizon_start, calendar_zone)
        except Exception:  # noqa: BLE001 - judged, whole, where the family is made
            return True

    return {base_id for base_id, members in by_family(events).items() if not any(map(matters, members))}


def full_changes(
    events: Iterable[Event],
    earliest: Mapping[str, dt.datetime],
    horizon_start: dt.datetime,
    calendar_zone: str,
    set_aside: list[SetAside],
) -> list[FamilyChange]:
    """The families of a full listing, each whole. `earliest`: as in `delta_changes`, of what is over also where its row
    lies ahead. What is over and has no row is left out; `set_aside` as in `delta_changes`."""
    families = by_family(events)

    def change(base_id: str) -> FamilyChange | None:
        members = families[base_id]
        written = tuple(event for event in members if can_still_matter(event, horizon_start, calendar_zone))
        if not written and base_id not in earliest:
            return None
        return FamilyChange(base_id, members, written, (), earliest.get(base_id))

    return _changed(families, change, set_aside)


def _changed(
    base_ids: Iterable[str], make: Callable[[str], FamilyChange | None], set_aside: list[SetAside]
) -> list[FamilyChange]:
    """What is made of each family, but for those that were set aside before."""
    known = {family.base_id for family in set_aside}
    wanted = sorted(base_id for base_id in base_ids if base_id not in known)
    return [made for base_id in wanted if (made := _guarded(base_id, partial(make, base_id), set_aside))]


def _guarded(base_id: str, make: Callable[[], Made | None], set_aside: list[SetAside]) -> Made | None:
    """What is made of a family; None if it is set aside: nothing odd about it stops the others."""
    try:
        return make()
    except Exception as unreadable:  # noqa: BLE001 - see above
        set_aside.append(SetAside(base_id, SetAsideReason.UNREADABLE, type(unreadable).__name__))
        return None


def is_costly(changes: Sequence[FamilyChange]) -> bool:
    """Whether the parts of these families may take long to make: a guess from their size and their rules."""
    members = [event for change in changes for event in change.members]
    return len(members) > QUICK_EVENTS or any(_recurs_costly(event.recurrence) for event in members)


def _recurs_costly(lines: Sequence[str]) -> bool:
    return sum(map(len, lines)) > QUICK_CHARACTERS or any(_WITHIN_A_DAY.search(line) for line in lines)


def sync_parts(
    changes: Iterable[FamilyChange], horizon: Window, calendar_zone: str, set_aside: list[SetAside]
) -> Iterator[SyncPart]:
    """What the families come to, in parts of at most ROWS_PER_PART rows. A family that nothing can be made of goes to
    `set_aside`, and stops no other."""

    def families() -> Iterator[FamilyPart]:
        for change in changes:
            made = _guarded(change.base_id, partial(_family_part, change, horizon, calendar_zone), set_aside)
            if made:
                yield made

    return packed(families(), horizon.start)


def _family_part(change: FamilyChange, horizon: Window, calendar_zone: str) -> FamilyPart:
    floor = history_start(horizon)
    expand_from = min(horizon.start, max(change.earliest, floor)) if change.earliest else horizon.start
    derived = derive(change.members, horizon, expand_from, calendar_zone)
    known = known_from(change.members, calendar_zone)
    if known and change.earliest and change.earliest < floor and any(event.is_live for event in change.members):
        # Rows from before were not derived, so that their absence says nothing.
        known = max(known, floor)
    if known and derived.covered_from:
        known = max(known, derived.covered_from)
    return FamilyPart(
        closes=not change.alone,
        alone=change.alone,
        base_id=change.base_id,
        events=tuple(mirror_row(event, calendar_zone) for event in change.written),
        meetings=derived.meetings,
        withheld=derived.withheld,
        cut=derived.cut,
        forgotten=change.forgotten,
        ended=ended_occurrences(change.members),
        known_from=known,
        entering=entering(change.members, horizon.end, calendar_zone),
    )


def entering_parts(
    events: Iterable[Event], since: dt.datetime, until: dt.datetime, calendar_zone: str
) -> Iterator[SyncPart]:
    """What comes to stand between two ends of the horizon, of whole families of the mirror, in parts of at most
    ROWS_PER_PART rows. Rows that end before `since` are not their matter."""
    span = Window(since, until)
    return packed(
        (
            _entering_family(base_id, members, span, calendar_zone)
            for base_id, members in sorted(by_family(events).items())
        ),
        since,
    )


def _entering_family(base_id: str, members: Sequence[Event], span: Window, calendar_zone: str) -> FamilyPart:
    derived = derive(members, span, span.start, calendar_zone)
    behind = entering(members, span.end, calendar_zone)
    return FamilyPart(base_id, (), derived.meetings, derived.withheld, entering=behind, cut=derived.cut)


def entering(members: Iterable[Event], until: dt.datetime, calendar_zone: str) -> dict[str, dt.datetime]:
    """By id, the first start at or behind the horizon's end of each member that has any: when its family is to be
    derived again."""
    starts = ((event.id, _next_start(event, until, calendar_zone)) for event in members if event.is_live)
    return {event_id: start for event_id, start in starts if start is not None}


def _next_start(event: Event, until: dt.datetime, calendar_zone: str) -> dt.datetime | None:
    if event.start is None:
        return None
    if event.kind is EventKind.SERIES:
        try:
            return next_start(event.start, event.recurrence, until, calendar_zone)
        except BadRecurrence:
            return None
    start = start_of(event.start, calendar_zone)
    return start if start >= until else None
