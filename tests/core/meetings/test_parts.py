"""From listed items to what a commit writes: whole families, bounded parts, history that follows its series."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.core.meetings.evidence import EVER
from sync.core.meetings.packing import ROWS_PER_PART, chunks, halves
from sync.core.meetings.parts import (
    HISTORY_DAYS,
    FamilyChange,
    delta_changes,
    entering_parts,
    full_changes,
    horizon_at,
    sync_parts,
)
from sync.model import Event, EventTime, FamilyPart, Meeting, SetAside, SyncPart
from sync.states import Placement, SetAsideReason
from tests.core.items import (
    HORIZON,
    NOW,
    ZONE,
    Item,
    at,
    cancelled_exception,
    daily,
    events,
    exception,
    single,
    tombstone,
)


def test_the_horizon_lies_around_now() -> None:
    window = horizon_at(NOW, 1, 60)

    assert (window.start, window.end) == (NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=60))


def parts_of(changes: Sequence[FamilyChange]) -> list[SyncPart]:
    set_aside: list[SetAside] = []
    made = list(sync_parts(changes, HORIZON, ZONE, set_aside))
    assert set_aside == []
    return made


def full(*items: Item, **earliest: str) -> list[SyncPart]:
    firsts = {base_id: at(start) for base_id, start in earliest.items()}
    return parts_of(full_changes(events(*items), firsts, HORIZON.start, ZONE, []))


def delta(stored: Sequence[Event], *items: Item, **earliest: str) -> FamilyPart:
    firsts = {base_id: at(start) for base_id, start in earliest.items()}
    (part,) = parts_of(delta_changes(stored, events(*items), firsts, ZONE, []))
    (family,) = part.families
    return family


def homes(part: SyncPart) -> tuple[str, ...]:
    return tuple(family.base_id for family in part.families)


def test_an_empty_calendar_is_no_part() -> None:
    assert full() == []


def test_a_small_calendar_is_one_part() -> None:
    (part,) = full(single("a"), daily("b", rule="FREQ=DAILY;COUNT=3"), exception("b", "2026-03-11 09:00"))

    assert homes(part) == ("a", "b")
    assert [len(family.events) for family in part.families] == [1, 2]
    assert [len(family.meetings) for family in part.families] == [1, 3]
    assert part.absent_from == HORIZON.start


def test_a_large_calendar_comes_in_bounded_parts() -> None:
    parts = full(*(single(f"e{number}") for number in range(ROWS_PER_PART + 1)))

    assert len(parts) == 3
    assert sum(len(part.families) for part in parts) == ROWS_PER_PART + 1
    assert all(part.size <= ROWS_PER_PART for part in parts)


def test_occurrences_that_are_no_meetings_count_too() -> None:
    parts = full(*(daily(f"e{number}", rule="FREQ=DAILY;COUNT=60", location=None) for number in range(40)))

    assert sum(len(family.withheld) for part in parts for family in part.families) == 40 * 60
    assert all(part.size <= ROWS_PER_PART for part in parts)


def test_a_family_larger_than_a_part_comes_in_chunks_and_the_last_one_knows_all() -> None:
    parts = full(single("a"), daily("b", rule="FREQ=MINUTELY;INTERVAL=30;COUNT=2500"), single("c"))

    of_b = [family for part in parts for family in part.families if family.base_id == "b"]
    assert all(part.size <= ROWS_PER_PART for part in parts)
    assert [family.closes for family in of_b] == [False] * (len(of_b) - 1) + [True]
    named = [meeting.google_calendar_event_id for family in of_b for meeting in family.meetings]
    assert len(set(named)) == len(named) == 2500
    assert {*of_b[-1].present, *(meeting.google_calendar_event_id for meeting in of_b[-1].meetings)} == set(named)


def test_a_long_text_that_every_occurrence_repeats_is_spread_over_parts() -> None:
    """As much as a calendar's owner may write, in the most frequent series that a calendar shows."""
    parts = full(daily("b", rule="FREQ=MINUTELY;INTERVAL=30;COUNT=2500", description="x" * 8000))

    largest = max(sum(len(each.description or "") for f in part.families for each in f.meetings) for part in parts)
    assert largest <= 1000 * ROWS_PER_PART
    assert sum(len(family.meetings) for part in parts for family in part.families) == 2500


def test_one_row_is_never_cut_however_much_it_weighs() -> None:
    parts = full(single("a", description="x" * 1000 * ROWS_PER_PART, location=None))

    assert [part.size for part in parts] == [1, 1]


def rows_of(family: FamilyPart) -> Iterator[object]:
    yield from family.events
    yield from family.meetings
    yield from family.withheld.items()
    yield from family.forgotten
    yield from family.ended


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 9))
def test_chunks_and_halves_lose_nothing(exceptions: int, ended: int, most: int) -> None:
    items = [daily("b", rule="FREQ=HOURLY;COUNT=90")]
    items += [exception("b", f"2026-03-{10 + n // 14} {9 + n % 14:02}:00", location=None) for n in range(exceptions)]
    items += [cancelled_exception("b", f"2026-04-{10 + n // 14} {9 + n % 14:02}:00") for n in range(ended)]
    (whole,) = (family for part in full(*items) for family in part.families)

    cut = list(chunks(whole, most))

    assert [row for chunk in cut for row in rows_of(chunk)] == sorted_like(whole, cut)
    assert [chunk.closes for chunk in cut] == [False] * (len(cut) - 1) + [True]
    first, second = halves(SyncPart((whole,), HORIZON.start)) or pytest.fail("it can be cut")
    assert first.size + second.size == whole.size
    assert not first.families[0].closes
    assert second.families[0].present == tuple(m.google_calendar_event_id for m in first.families[0].meetings)


def sorted_like(whole: FamilyPart, cut: Sequence[FamilyPart]) -> list[object]:
    """The rows of a family in the order its chunks have them: kind after kind, each in its own order."""
    assert sum(chunk.size for chunk in cut) == whole.size
    return list(rows_of(whole))


def test_a_part_is_halved_between_families_first() -> None:
    (part,) = full(*(single(name) for name in "abc"))

    first, second = halves(part) or pytest.fail("it can be cut")

    assert (homes(first), homes(second)) == (("a",), ("b", "c"))
    assert halves(SyncPart((), HORIZON.start)) is None


def odd(*items: Item) -> list[Event]:
    """Events without any time where one is needed: nothing can be made of them."""
    return [dataclasses.replace(event, start=EventTime(), end=EventTime()) for event in events(*items)]


@pytest.mark.parametrize("item", [single("odd"), daily("odd")], ids=["single", "series"])
def test_a_family_nothing_can_be_made_of_stops_no_other(item: Item) -> None:
    around = events(single("a"), single("z"))
    full_aside: list[SetAside] = []
    delta_aside: list[SetAside] = []

    made = [
        list(sync_parts(changes, HORIZON, ZONE, aside))
        for changes, aside in (
            (full_changes([*around, *odd(item)], {}, HORIZON.start, ZONE, full_aside), full_aside),
            (delta_changes([], [*around, *odd(item)], {}, ZONE, delta_aside), delta_aside),
        )
    ]

    assert [homes(part) for parts in made for part in parts] == [("a", "z"), ("a", "z")]
    assert full_aside == delta_aside == [SetAside("odd", SetAsideReason.UNREADABLE, "ValueError")]


def test_a_family_that_was_set_aside_stays_out_whole() -> None:
    """One of its items could not be read: what the others come to without it says nothing."""
    listed = events(single("a"), exception("odd", "2026-03-11 09:00"))
    aside = [SetAside("odd", SetAsideReason.UNREADABLE, "ValueError")]

    assert [change.base_id for change in full_changes(listed, {}, HORIZON.start, ZONE, list(aside))] == ["a"]
    assert [change.base_id for change in delta_changes([], listed, {}, ZONE, list(aside))] == ["a"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 400), st.booleans()), max_size=12), st.randoms())
def test_parts_lose_nothing(shapes: list[tuple[int, int, bool]], order: random.Random) -> None:
    items = [
        daily(
            f"e{number}", rule=f"FREQ=HOURLY;COUNT={count}", location="https://zoom.us/j/5551234567" if linked else None
        )
        for number, (_, count, linked) in enumerate(shapes)
    ]
    items += [
        exception(f"e{number}", f"2026-03-{10 + day % 5:02} {9 + day // 5:02}:00")
        for number, (days, _, _) in enumerate(shapes)
        for day in range(days)
    ]
    order.shuffle(items)

    families = [family for part in full(*items) for family in part.families]

    assert sorted(family.base_id for family in families if family.closes) == sorted(
        f"e{number}" for number in range(len(shapes))
    )
    assert sorted(row.google_event_id for family in families for row in family.events) == sorted(
        item["id"] for item in items
    )


def test_a_full_listing_leaves_out_what_is_over_and_has_no_history() -> None:
    over = single("over", "2026-01-10 09:00")

    assert full(over) == []
    (part,) = full(over, over="2026-01-10 09:00")
    (family,) = part.families
    assert family.events == ()
    assert [(each.google_calendar_event_id, each.placement) for each in family.meetings] == [("over", "before")]


def test_a_full_listing_keeps_series_that_are_over_for_history_needs_whole_families() -> None:
    (part,) = full(daily("b", "2026-01-01 09:00", rule="FREQ=DAILY;COUNT=3"))

    assert [row.google_event_id for family in part.families for row in family.events] == ["b"]


def test_a_delta_writes_only_what_it_names_and_derives_the_whole_family() -> None:
    stored = events(daily("b", rule="FREQ=DAILY;COUNT=3"))

    family = delta(stored, exception("b", "2026-03-11 09:00", "2026-03-11 15:00"))

    assert [row.google_event_id for row in family.events] == ["b_20260311T090000Z"]
    assert family.base_id == "b"
    starts = sorted(meeting.start_time for meeting in family.meetings)
    assert starts == [at("2026-03-10 09:00"), at("2026-03-11 15:00"), at("2026-03-12 09:00")]


def test_a_deleted_event_is_a_family_without_meetings() -> None:
    family = delta(events(single("a")), tombstone("a"), a="2026-03-10 12:00")

    assert (family.base_id, family.meetings, family.known_from) == ("a", (), EVER)
    assert [(row.google_event_id, row.status) for row in family.events] == [("a", "cancelled")]


@pytest.mark.parametrize(
    ("earliest", "first", "known_from"),
    [
        (None, "2026-03-09 12:00", EVER),
        ("2026-03-20 12:00", "2026-03-09 12:00", EVER),
        ("2026-02-01 12:00", "2026-02-01 12:00", EVER),
        ("2020-01-01 12:00", None, HORIZON.start - dt.timedelta(days=HISTORY_DAYS)),
    ],
)
def test_history_follows_its_series_as_far_back_as_rows_exist(
    earliest: str | None, first: str | None, known_from: dt.datetime
) -> None:
    series = daily("b", "2019-01-01 12:00", rule="FREQ=DAILY")

    family = delta([], series, **({"b": earliest} if earliest else {}))

    begins = min(meeting.start_time for meeting in family.meetings)
    assert family.known_from == known_from
    assert begins == (at(first) if first else HORIZON.start - dt.timedelta(days=HISTORY_DAYS))


@pytest.mark.parametrize(
    ("items", "known_from"),
    [
        ([single("a")], EVER),
        ([tombstone("a")], EVER),
        ([daily("a"), daily("a_R20260401T090000", "2026-04-01 09:00")], EVER),
        # The series it was split off is unknown: what came before says nothing.
        ([daily("a_R20260401T090000", "2026-04-01 09:00")], at("2026-04-01 09:00")),
        ([tombstone("a_R20260401T090000")], at("2026-03-31 22:00")),
        ([exception("a", "2026-03-11 09:00")], None),
        ([cancelled_exception("a", "2026-03-11 09:00")], None),
    ],
)
def test_a_family_is_known_since_its_first_item(items: list[Item], known_from: dt.datetime | None) -> None:
    assert delta([], *items).known_from == known_from


def test_an_instance_that_was_cancelled_by_itself_is_known_to_be_over() -> None:
    assert delta([], cancelled_exception("a", "2026-01-11 09:00")).ended == ("a_20260111T090000Z",)


def test_what_enters_the_horizon_says_nothing_of_what_lies_before() -> None:
    daily_series = events(daily("b", rule="FREQ=DAILY"))
    (part,) = entering_parts(daily_series, at("2026-04-01 00:00"), at("2026-04-03 00:00"), ZONE)

    assert part.absent_from == at("2026-04-01 00:00")
    (family,) = part.families
    assert [meeting.start_time for meeting in family.meetings] == [at("2026-04-01 09:00"), at("2026-04-02 09:00")]
    assert (family.known_from, family.events) == (None, ())
    assert family.entering == {"b": at("2026-04-03 09:00")}


def test_what_enters_after_a_long_time_comes_in_parts() -> None:
    many = [daily(f"b{number}", rule="FREQ=DAILY") for number in range(4)]
    parts = list(entering_parts(events(*many), at("2026-04-01 00:00"), at("2027-04-01 00:00"), ZONE))

    assert [part.size for part in parts] == [730, 730]


@pytest.mark.parametrize(
    ("items", "entering"),
    [
        ([daily("a", rule="FREQ=DAILY")], {"a": at("2026-05-10 09:00")}),
        ([daily("a", rule="FREQ=DAILY;COUNT=3")], {}),
        ([daily("a", rule="nonsense")], {}),
        ([single("a", "2026-12-01 09:00")], {"a": at("2026-12-01 09:00")}),
        ([single("a", "2026-03-12 09:00")], {}),
        (
            [daily("a"), exception("a", "2026-03-11 09:00", "2026-12-01 09:00")],
            {"a_20260311T090000Z": at("2026-12-01 09:00")},
        ),
        ([tombstone("a")], {}),
    ],
)
def test_what_lies_behind_the_horizon_is_known_with_its_first_start(
    items: list[Item], entering: dict[str, dt.datetime]
) -> None:
    assert delta([], *items).entering == entering


BACKWARDS = single("one", "2026-03-09 11:30") | {"end": {"dateTime": "2026-03-09T09:00:00Z"}}
AHEAD_BACKWARDS = single("one", "2026-03-20 11:30") | {"end": {"dateTime": "2026-03-01T09:00:00Z"}}
KEPT_BY_A_GUEST = exception("day", "2026-03-13 09:00", "2026-03-13 15:00", updated="2026-03-05T00:00:00Z")


@pytest.mark.parametrize(
    ("stored", "delta", "listed"),
    [
        ([], [BACKWARDS], [BACKWARDS]),
        ([], [AHEAD_BACKWARDS], [AHEAD_BACKWARDS]),
        ([daily("day")], [tombstone("day"), KEPT_BY_A_GUEST], [KEPT_BY_A_GUEST]),
        ([daily("day")], [tombstone("day"), KEPT_BY_A_GUEST], [tombstone("day"), KEPT_BY_A_GUEST]),
        ([single("one")], [single("one") | {"end": single()["start"]}], [single("one") | {"end": single()["start"]}]),
        ([daily("day")], [daily("day") | {"recurrence": ["RRULE:?"]}], [daily("day") | {"recurrence": ["RRULE:?"]}]),
    ],
)
def test_deltas_and_a_full_listing_of_one_calendar_come_to_the_same_rows(
    stored: list[Item], delta: list[Item], listed: list[Item]
) -> None:
    def rows(changes: list[FamilyChange]) -> list[Meeting]:
        parts = sync_parts(changes, HORIZON, ZONE, [])
        found = [meeting for part in parts for family in part.families for meeting in family.meetings]
        return [meeting for meeting in found if meeting.placement is not Placement.BEFORE]

    by_delta = delta_changes(events(*stored), events(*delta), {}, ZONE, [])
    by_listing = full_changes(events(*listed), {}, HORIZON.start, ZONE, [])

    assert rows(by_delta) == rows(by_listing)


def test_rows_of_a_history_too_long_to_derive_stay() -> None:
    often = daily("often", "2024-01-01 00:00", rule="FREQ=MINUTELY;INTERVAL=30")

    changes = delta_changes([], events(often), {"often": at("2025-03-10 00:00")}, ZONE, [])
    parts = parts_of(changes)

    named = [meeting.start_time for part in parts for family in part.families for meeting in family.meetings]
    (known,) = {family.known_from for part in parts for family in part.families}
    assert known is not None
    assert abs(min(named) - known) <= dt.timedelta(hours=1)
