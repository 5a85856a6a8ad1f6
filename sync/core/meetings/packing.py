"""Families in parts that a payload and a statement's time hold. Pure. Called by `parts`, and by `commit_changes` for a
part that the store found too much.

A family heavier than a part comes in chunks, of which the last one ends what none of them names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate, chain, islice, repeat, takewhile

from sync.model import FamilyPart, SyncPart

# Rows per part, and reasons why an occurrence has none; a row with a long text counts as several, for each occurrence
# of a series repeats it. A thousand are a megabyte or two, and a fraction of a second in Postgres; the platform ends a
# statement after 8 s.
ROWS_PER_PART = 1000


def packed(families: Iterable[FamilyPart], absent_from: dt.datetime) -> Iterator[SyncPart]:
    """Families in parts that weigh at most ROWS_PER_PART rows; those heavier than that in chunks."""
    waiting: list[FamilyPart] = []
    weight = 0
    for family in families:
        for chunk in chunks(family, ROWS_PER_PART):
            if waiting and weight + chunk.weight > ROWS_PER_PART:
                yield SyncPart(tuple(waiting), absent_from)
                waiting, weight = [], 0
            waiting.append(chunk)
            weight += chunk.weight
    if waiting:
        yield SyncPart(tuple(waiting), absent_from)


def chunks(family: FamilyPart, most: int) -> Iterator[FamilyPart]:
    """The family, cut so that no chunk weighs more than `most` rows, or is one row. The last one closes it."""
    rest, written = family, list(family.present)
    while rest.size > 1 and rest.weight > most:
        chunk, rest = _cut(rest, _rows_within(rest, most))
        yield chunk
        written += [meeting.google_calendar_event_id for meeting in chunk.meetings]
    yield replace(rest, present=tuple(written))


def _rows_within(family: FamilyPart, most: int) -> int:
    """How many of its rows, at least one, weigh at most so much together."""
    weights = chain((row.weight for row in family.events), (row.weight for row in family.meetings), repeat(1))
    return max(1, sum(1 for _ in takewhile(lambda so_far: so_far <= most, accumulate(islice(weights, family.size)))))


def _cut(family: FamilyPart, rows: int) -> tuple[FamilyPart, FamilyPart]:
    """The first so many rows of a family, and the rest of it."""
    events = min(rows, len(family.events))
    meetings = min(rows - events, len(family.meetings))
    reasons = min(rows - events - meetings, len(family.withheld))
    forgotten = min(rows - events - meetings - reasons, len(family.forgotten))
    ended = rows - events - meetings - reasons - forgotten
    withheld = list(family.withheld.items())
    first = replace(
        family,
        events=family.events[:events],
        meetings=family.meetings[:meetings],
        withheld=dict(withheld[:reasons]),
        forgotten=family.forgotten[:forgotten],
        ended=family.ended[:ended],
        present=(),
        entering=family.entering if family.alone else {},
        closes=False,
    )
    rest = replace(
        family,
        events=family.events[events:],
        meetings=family.meetings[meetings:],
        withheld=dict(withheld[reasons:]),
        forgotten=family.forgotten[forgotten:],
        ended=family.ended[ended:],
    )
    return first, rest


def halves(part: SyncPart) -> tuple[SyncPart, SyncPart] | None:
    """The part in two, for a store that found it too much; None: it cannot be cut any more."""
    if len(part.families) > 1:
        middle = len(part.families) // 2
        return replace(part, families=part.families[:middle]), replace(part, families=part.families[middle:])
    if part.size < 2:
        return None
    first, rest = _cut(part.families[0], (part.size + 1) // 2)
    written = (*rest.present, *(meeting.google_calendar_event_id for meeting in first.meetings))
    return replace(part, families=(first,)), replace(part, families=(replace(rest, present=written),))
