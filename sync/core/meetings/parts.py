"""From listed items to what a commit writes. Pure. Called by `jobs/syncing/sync_calendar`.

An incremental sync is one part: the families its delta touched. A full sync is all families, cut into parts that fit
a payload and a statement's time; the last part goes with the commit that sweeps what was not seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sync.core.meetings.derive import derive
from sync.core.meetings.families import by_family, merge, mirror_row
from sync.model import Derived, Event, Meeting, MirrorRow, SyncPart, Window

# Rows per part, and reasons why an occurrence has none. A thousand are a fraction of a second in Postgres; the platform
# ends a statement after 8 s.
ROWS_PER_PART = 1000
# How far back rows of history follow a change of their series. Further back they stay as they were.
HISTORY_DAYS = 400


@dataclass(frozen=True, slots=True)
class Delta:
    """`covered_from`: rows that ended before were not derived and stay (None: all were)."""

    part: SyncPart
    covered_from: dt.datetime | None


def horizon_at(now: dt.datetime, past_days: int, future_days: int) -> Window:
    return Window(now - dt.timedelta(days=past_days), now + dt.timedelta(days=future_days))


def delta_part(
    stored: Iterable[Event], delta: Sequence[Event], horizon: Window, earliest: dt.datetime | None, calendar_zone: str
) -> Delta:
    """The one part of an incremental sync. `stored`: the mirror's rows of the touched families; `earliest`: the
    earliest start among their meetings, so that history follows the series it belongs to."""
    merged = merge(stored, delta, calendar_zone)
    floor = horizon.start - dt.timedelta(days=HISTORY_DAYS)
    expand_from = max(earliest, floor) if earliest else horizon.start
    derived = [derive(members, horizon, expand_from, calendar_zone) for members in merged.families.values()]
    part = SyncPart(
        families=tuple(sorted(merged.families)),
        events=tuple(mirror_row(event, calendar_zone) for event in merged.changed),
        forgotten=merged.forgotten,
        derived=_together(derived),
    )
    return Delta(part, floor if earliest and earliest < floor else None)


def full_parts(events: Iterable[Event], horizon: Window, calendar_zone: str) -> Iterator[SyncPart]:
    """All families of a calendar in parts of whole families; at least one part, which may be empty."""
    families: list[str] = []
    rows: list[MirrorRow] = []
    derived: list[Derived] = []
    size = 0
    for base_id, members in by_family(events).items():
        came_to = derive(members, horizon, horizon.start, calendar_zone)
        grows = len(members) + len(came_to.meetings) + len(came_to.withheld)
        if size and size + grows > ROWS_PER_PART:
            yield SyncPart(tuple(families), tuple(rows), (), _together(derived))
            families, rows, derived, size = [], [], [], 0
        families.append(base_id)
        rows.extend(mirror_row(event, calendar_zone) for event in members)
        derived.append(came_to)
        size += grows
    yield SyncPart(tuple(families), tuple(rows), (), _together(derived))


def entering_part(events: Iterable[Event], since: dt.datetime, until: dt.datetime, calendar_zone: str) -> SyncPart:
    """What comes to stand between two ends of the horizon, of whole families of the mirror. Commit it with
    `covered_from=since`: rows that end before are not its matter."""
    families = by_family(events)
    span = Window(since, until)
    derived = [derive(members, span, since, calendar_zone) for members in families.values()]
    return SyncPart(tuple(sorted(families)), (), (), _together(derived))


def _together(derived: Sequence[Derived]) -> Derived:
    meetings: list[Meeting] = []
    withheld: dict[str, str] = {}
    for one in derived:
        meetings.extend(one.meetings)
        withheld.update(one.withheld)
    return Derived(tuple(meetings), withheld)
