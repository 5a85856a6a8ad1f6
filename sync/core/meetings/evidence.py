"""What a family proves about occurrences that are over. Pure. Called by `parts`.

Ahead, absence is enough: the calendar does not make the occurrence, so it is gone. Behind the horizon the mirror may
never have held what made a row, so a row of history ends only on evidence: the calendar calls it cancelled, or the
series that would have made it is known and does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sync.core.series.event_spans import start_of
from sync.core.series.instance_ids import instance_id, split_start
from sync.model import Event
from sync.states import EventKind

EVER = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


def known_from(members: Sequence[Event], calendar_zone: str) -> dt.datetime | None:
    """Since when the family's items say all there is to know of it; None: they never do.

    The item with the family's own id is its beginning, live or deleted. Without it, the earliest series that was split
    off: what came before that is unknown.
    """
    starts: list[dt.datetime] = []
    for event in members:
        if event.kind is EventKind.EXCEPTION:
            continue
        if event.id == event.base_id:
            return EVER
        start = event.start or split_start(event.id)
        if start is not None:
            starts.append(start_of(start, calendar_zone))
    return min(starts, default=None)


def ended_occurrences(members: Sequence[Event]) -> tuple[str, ...]:
    """Ids of the occurrences that the calendar calls cancelled one by one."""
    return tuple(
        instance_id(event.base_id, event.original_start) if event.original_start else event.id
        for event in members
        if event.kind is EventKind.EXCEPTION and not event.is_live
    )
