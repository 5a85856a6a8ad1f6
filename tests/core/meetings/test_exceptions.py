"""Which changes of a series concern one occurrence alone, and that these come to what the whole family has for them."""

from __future__ import annotations

import datetime as dt

import pytest

from sync.core.meetings.exceptions import alone_changes, asked_about, exceptions_alone
from sync.core.meetings.packing import halves
from sync.core.meetings.parts import delta_changes, sync_parts
from sync.model import FamilyPart
from tests.core.items import HORIZON, ZONE, Item, cancelled_exception, daily, events, exception, single, tombstone

FIRST, SECOND = "2026-03-12 10:00", "2026-03-13 10:00"
WITHOUT_TIMES = {name: value for name, value in exception("s", FIRST).items() if name not in ("start", "end")}


@pytest.mark.parametrize(
    ("delta", "alone"),
    [
        ([exception("s", FIRST)], {"s"}),
        ([cancelled_exception("s", FIRST), exception("s", SECOND)], {"s"}),
        ([tombstone("s_20260312T100000Z")], {"s"}),
        ([exception("s", FIRST), single()], {"s"}),
        ([exception("s", FIRST), exception("t", FIRST)], {"s", "t"}),
        # The series itself changed, and with it any occurrence.
        ([exception("s", FIRST), daily("s")], set()),
        # It may be one of the series', under an id that does not say so.
        ([exception("s", FIRST), tombstone("opaque")], set()),
        # What has no times leaves the series' own occurrence standing.
        ([WITHOUT_TIMES], set()),
        ([exception("aside", FIRST)], set()),
    ],
)
def test_exceptions_alone_are_all_that_a_delta_names_of_their_families(delta: list[Item], alone: set[str]) -> None:
    assert exceptions_alone(events(*delta), {"aside"}).keys() == alone


def alone_part(*delta: Item) -> FamilyPart:
    (part,) = sync_parts(alone_changes(exceptions_alone(events(*delta), ())), HORIZON, ZONE, [])
    (family,) = part.families
    return family


@pytest.mark.parametrize(
    "change",
    [
        exception("s", FIRST, summary="Renamed"),
        exception("s", FIRST, start="2026-04-01 10:00"),
        exception("s", FIRST, start="2026-08-01 10:00"),
        exception("s", FIRST, start="2026-01-01 10:00"),
        exception("s", "2026-08-01 10:00", start="2026-04-01 10:00"),
        exception("s", FIRST, location="nowhere"),
        cancelled_exception("s", FIRST),
        tombstone("s_20260312T100000Z"),
    ],
)
def test_an_exception_alone_comes_to_what_its_whole_family_has_for_it(change: Item) -> None:
    stored = events(daily("s"), exception("s", SECOND), exception("s", FIRST, summary="Before"))
    (whole,) = sync_parts(delta_changes(stored, events(change), {}, ZONE, []), HORIZON, ZONE, [])
    (family,) = whole.families

    alone = alone_part(change)

    own = {event.google_event_id for event in alone.events}
    assert alone.events == family.events
    assert alone.meetings == tuple(each for each in family.meetings if each.google_calendar_event_id in own)
    assert alone.withheld == {name: reason for name, reason in family.withheld.items() if name in own}
    assert alone.ended == family.ended
    assert alone.entering == {name: at for name, at in family.entering.items() if name in own}
    assert not alone.closes, "what it does not name is none of its business"


def test_what_enters_later_stays_told_when_a_store_wants_less_at_once() -> None:
    late = [exception("s", f"2026-03-{day} 10:00", start="2026-08-01 10:00") for day in (12, 13, 14)]
    (part,) = sync_parts(alone_changes(exceptions_alone(events(*late), ())), HORIZON, ZONE, [])

    cut = halves(part)

    assert cut is not None
    for half in cut:
        (family,) = half.families
        assert family.alone
        assert not family.closes
        assert {event.google_event_id for event in family.events} <= family.entering.keys()


def test_the_mirror_is_asked_by_the_start_that_its_rows_have() -> None:
    (asked,) = asked_about(exceptions_alone(events(exception("s", FIRST)), ()), ZONE)

    assert (asked.base_event_id, asked.series_id) == ("s", "s")
    assert asked.original_start_at == dt.datetime(2026, 3, 12, 10, 0, tzinfo=dt.UTC)
