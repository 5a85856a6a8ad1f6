"""Which changes of a series concern one occurrence alone. Pure. Called by `jobs/syncing/commit_changes`.

A family is derived anew as a whole, for its items may stand in each other's places: series that were split, exceptions
of one occurrence under two ids. A series that was never split, with one exception to an occurrence, has none of that:
an exception that changed says all about its occurrence, and nothing about another. So a change in a series with
hundreds of exceptions need not read and write them all. The rule is in two halves: what the delta must be like is here,
what the mirror must hold is `read_families`'s to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.core.meetings.families import by_family
from sync.core.meetings.parts import FamilyChange
from sync.core.series.event_spans import start_of
from sync.model import Event, NamedException
from sync.states import EventKind


def exceptions_alone(delta: Sequence[Event], set_aside: Collection[str]) -> dict[str, tuple[Event, ...]]:
    """By base id, the families of which a delta names nothing but exceptions that say all about their occurrences; not
    those that are `set_aside`. None if it holds a tombstone that may be of any family: only the mirror knows which."""
    if any(not event.is_live and event.kind is not EventKind.EXCEPTION for event in delta):
        return {}
    return {
        base_id: members
        for base_id, members in by_family(delta).items()
        if base_id not in set_aside and all(_says_all(event) for event in members)
    }


def asked_about(families: Mapping[str, Sequence[Event]], calendar_zone: str) -> list[NamedException]:
    """What the mirror is to say of them."""
    return [
        NamedException(event.base_id, event.id, event.series_id, start_of(event.original_start, calendar_zone))
        for members in families.values()
        for event in members
        if event.series_id and event.original_start
    ]


def alone_changes(families: Mapping[str, tuple[Event, ...]]) -> list[FamilyChange]:
    """Their changes, once the mirror has said that they stand alone."""
    return [FamilyChange(base_id, members, members, alone=True) for base_id, members in sorted(families.items())]


def _says_all(event: Event) -> bool:
    if event.kind is not EventKind.EXCEPTION or event.series_id is None or event.original_start is None:
        return False
    return not event.is_live or (event.start is not None and event.end is not None)
