"""Families: what a delta makes of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.core.meetings.derive import derive
from sync.core.meetings.families import Merged, can_still_matter, merge, mirror_row
from tests.core.items import (
    HORIZON,
    ZONE,
    Item,
    at,
    cancelled_exception,
    daily,
    days,
    events,
    exception,
    single,
    times,
    tombstone,
)

DAY = daily("day")  # 10 to 14 March, 09:00
SPLIT = "day_R20260312T090000"
SHORT = daily("day", rule="FREQ=DAILY;UNTIL=20260311T090000Z")
REST = daily(SPLIT, "2026-03-12 09:00", rule="FREQ=DAILY;COUNT=3")
MOVED = exception("day", "2026-03-13 09:00", "2026-03-13 15:00", updated="2026-03-05T00:00:00Z")


def merged(stored: Sequence[Item], *deltas: Sequence[Item]) -> Merged:
    """The deltas merged one after another, as the mirror would hold them in between."""
    state = merge([], events(*stored), ZONE)
    kept = {event.id: event for event in state.changed}
    for delta in deltas:
        state = merge(kept.values(), events(*delta), ZONE)
        kept = {event_id: event for event_id, event in kept.items() if event_id not in state.forgotten}
        kept |= {event.id: event for event in state.changed}
    return state


def starts(state: Merged) -> list[str]:
    """When the meetings of all families begin, sorted."""
    meetings = [
        meeting
        for members in state.families.values()
        for meeting in derive(members, HORIZON, HORIZON.start, ZONE).meetings
    ]
    return sorted(f"{meeting.start_time:%d %H:%M}" for meeting in meetings)


ALL_FIVE = ["10 09:00", "11 09:00", "12 09:00", "13 09:00", "14 09:00"]


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ([], ALL_FIVE),
        ([MOVED], ["10 09:00", "11 09:00", "12 09:00", "13 15:00", "14 09:00"]),
        ([exception("day", "2026-03-13 09:00", "2026-03-01 15:00")], ["01 15:00", *ALL_FIVE[:3], ALL_FIVE[4]]),
        ([cancelled_exception("day", "2026-03-13 09:00")], [*ALL_FIVE[:3], ALL_FIVE[4]]),
        # Sparse: linked by its id.
        ([tombstone("day_20260313T090000Z")], [*ALL_FIVE[:3], ALL_FIVE[4]]),
        ([tombstone("day")], []),
        ([tombstone("day", recurrence=["RRULE:FREQ=DAILY;COUNT=5"])], []),
        ([daily("day", rule="FREQ=DAILY;COUNT=2")], ALL_FIVE[:2]),
        ([single("day", "2026-03-13 10:00")], ["13 10:00"]),
        # Tombstones of what was never there.
        ([tombstone("day_20260320T090000Z")], ALL_FIVE),
        ([tombstone("stub")], ALL_FIVE),
    ],
)
def test_a_delta_is_what_the_family_becomes(delta: list[Item], expected: list[str]) -> None:
    assert starts(merged([DAY], delta)) == expected


def test_a_restored_instance_is_back_in_its_place() -> None:
    cancelled, restored = cancelled_exception("day", "2026-03-13 09:00"), exception("day", "2026-03-13 09:00")

    assert starts(merged([DAY], [cancelled], [restored])) == ALL_FIVE
    assert starts(merged([DAY], [MOVED], [restored])) == ALL_FIVE


def test_an_exception_without_its_master_is_shown_alone() -> None:
    assert starts(merged([], [MOVED])) == ["13 15:00"]


def test_an_instance_cancelled_before_the_first_sync_is_not_shown() -> None:
    assert starts(merged([], [tombstone("day_20260313T090000Z")], [DAY])) == [*ALL_FIVE[:3], ALL_FIVE[4]]


@pytest.mark.parametrize("order", list(itertools.permutations([SHORT, REST])))
@pytest.mark.parametrize("together", [True, False])
def test_this_and_following_leaves_no_gap_and_no_double(order: tuple[Item, ...], together: bool) -> None:
    deltas = [list(order)] if together else [[item] for item in order]

    state = merged([DAY], *deltas)

    assert starts(state) == ALL_FIVE
    assert set(state.families) == {"day"}


def test_an_exception_behind_the_split_does_not_reach_into_the_new_series() -> None:
    """Whether Google lists it as cancelled, as it was, or not at all."""
    for orphan in ([cancelled_exception("day", "2026-03-13 09:00")], [MOVED], []):
        assert starts(merged([DAY, MOVED], [SHORT, REST, *orphan])) == ALL_FIVE


def test_an_orphan_of_an_unknown_series_does_not_reach_into_the_new_series() -> None:
    """A full sync drops the truncated series once it is over."""
    assert starts(merged([], [REST, cancelled_exception("day", "2026-03-13 09:00")])) == ALL_FIVE[2:]


def test_an_exception_of_the_new_series_replaces_its_occurrence() -> None:
    moved = exception(SPLIT, "2026-03-13 09:00", "2026-03-13 20:00")

    assert moved["id"] == "day_20260313T090000Z"
    assert starts(merged([SHORT, REST], [moved])) == ["10 09:00", "11 09:00", "12 09:00", "13 20:00", "14 09:00"]


def test_a_shortened_series_takes_unlisted_exceptions_behind_its_end_with_it() -> None:
    before = exception("day", "2026-03-11 09:00", "2026-03-11 16:00")

    state = merged([DAY, before, MOVED], [SHORT])

    assert list(state.forgotten) == [MOVED["id"]]
    assert starts(state) == ["10 09:00", "11 16:00"]


def test_an_exception_at_the_very_end_of_a_shortened_series_stays() -> None:
    last = exception("day", "2026-03-11 09:00", "2026-03-20 16:00")

    assert merged([DAY, last], [SHORT]).forgotten == {}


def test_a_changed_series_keeps_its_exceptions() -> None:
    for change in (daily("day", summary="Renamed"), daily("day", rule="FREQ=DAILY"), daily("day", rule="nonsense")):
        assert merged([DAY, MOVED], [change]).forgotten == {}


@pytest.mark.parametrize(
    "end", [tombstone("day"), tombstone("day", updated="2026-03-01T00:00:00Z"), single("day", "2026-03-10 09:00")]
)
def test_a_series_that_ended_takes_unlisted_exceptions_with_it(end: Item) -> None:
    state = merged([DAY, MOVED], [end])

    assert list(state.forgotten) == [MOVED["id"]]
    assert "13 15:00" not in starts(state)


@pytest.mark.parametrize(
    ("end", "updated", "outlives"),
    [
        ({"updated": "2026-03-04T00:00:00Z"}, "2026-03-05T00:00:00Z", True),
        ({"updated": "2026-03-05T00:00:00Z"}, "2026-03-05T00:00:00Z", False),
        ({"updated": "2026-03-06T00:00:00Z"}, "2026-03-05T00:00:00Z", False),
        # Nothing says that it was deleted with its series, and a full listing would have it.
        ({}, "2026-03-05T00:00:00Z", True),
        ({"updated": "2026-03-04T00:00:00Z"}, None, True),
    ],
)
def test_a_listed_exception_outlives_its_series_unless_it_is_older_than_the_deletion(
    end: Item, updated: str | None, outlives: bool
) -> None:
    state = merged([DAY], [tombstone("day", **end), {**MOVED, "updated": updated}])

    assert starts(state) == (["13 15:00"] if outlives else [])
    assert (MOVED["id"] in state.forgotten) is not outlives


def test_a_single_that_becomes_a_series_is_one_family() -> None:
    state = merged([single("day", "2026-03-10 09:00")], [DAY])

    assert starts(state) == ALL_FIVE
    assert [event.kind for event in state.changed] == ["series"]


def test_families_that_the_delta_does_not_name_stay_out_of_it() -> None:
    assert set(merged([], [DAY]).families) == {"day"}
    assert set(merged([DAY], [single("other")]).families) >= {"other"}


def test_the_last_of_two_versions_in_a_delta_counts() -> None:
    assert starts(merged([], [single("one", "2026-03-12 10:00"), single("one", "2026-03-12 11:00")])) == ["12 11:00"]


_versions = st.tuples(
    st.sampled_from([None, DAY, SHORT, daily("day", rule="FREQ=DAILY"), tombstone("day"), single("day")]),
    st.sampled_from([None, REST, tombstone(SPLIT), daily(SPLIT, "2026-03-12 10:30", rule="FREQ=DAILY;COUNT=2")]),
    st.sampled_from([None, MOVED, cancelled_exception("day", "2026-03-13 09:00"), tombstone("day_20260313T090000Z")]),
    st.sampled_from(
        [None, exception(SPLIT, "2026-03-14 09:00", "2026-03-14 18:00"), tombstone("day_20260314T090000Z")]
    ),
    st.sampled_from([None, single("other"), tombstone("other")]),
)


@settings(max_examples=200, deadline=None)
@given(stored=_versions, delta=_versions, data=st.data())
def test_the_order_of_a_delta_never_matters(
    stored: tuple[Item | None, ...], delta: tuple[Item | None, ...], data: st.DataObject
) -> None:
    mirror = events(*filter(None, stored))
    listed = [item for item in delta if item]
    shuffled = data.draw(st.permutations(listed))

    one, other = merge(mirror, events(*listed), ZONE), merge(reversed(mirror), events(*shuffled), ZONE)

    assert starts(one) == starts(other)
    assert one.forgotten == other.forgotten
    assert {event.id for event in one.changed} == {event.id for event in other.changed}
    assert {k: {e.id for e in v} for k, v in one.families.items()} == {
        k: {e.id for e in v} for k, v in other.families.items()
    }


@settings(max_examples=100, deadline=None)
@given(delta=_versions, data=st.data())
def test_the_same_delta_again_changes_nothing(delta: tuple[Item | None, ...], data: st.DataObject) -> None:
    listed = [item for item in delta if item]

    assert starts(merged([], listed, listed)) == starts(merged([], listed))


@settings(max_examples=100, deadline=None)
@given(
    items=st.permutations([SHORT, REST, MOVED, exception("day", "2026-03-11 09:00", "2026-03-11 16:00"), single("x")]),
    cuts=st.lists(st.integers(1, 4), unique=True, max_size=4).map(sorted),
)
def test_pages_and_deltas_may_cut_a_family_anywhere(items: list[Item], cuts: list[int]) -> None:
    """Also an exception may come long before its master."""
    bounds = [0, *cuts, len(items)]
    deltas = [items[low:high] for low, high in itertools.pairwise(bounds)]

    assert starts(merged([], *deltas)) == ["10 09:00", "11 16:00", "12 09:00", "12 10:00", "13 09:00", "14 09:00"]


@pytest.mark.parametrize(
    ("item", "matters"),
    [
        (single(start="2026-03-12 10:00"), True),
        (single(start="2026-03-09 11:30"), True),
        (single(start="2026-03-09 11:00"), False),
        (single(start="2026-03-01 10:00"), False),
        (single(start="2027-03-01 10:00"), True),
        (single() | days("2026-03-08", "2026-03-09"), False),
        (single() | days("2026-03-09", "2026-03-10"), True),
        (single(start="2026-03-12 10:00", end=None), False),
        (tombstone("one"), False),
        (daily(start="2020-03-01 10:00", rule="FREQ=DAILY"), True),
        (daily(start="2026-03-01 10:00", rule="FREQ=DAILY;COUNT=3"), True),
        (single(start="2026-03-12 10:00") | {"end": times("2026-03-01 10:00")["end"]}, True),
        (daily(start="2026-03-01 10:00", rule="FREQ=DAILY;COUNT=30"), True),
        (daily(start="2020-03-01 10:00", rule="nonsense"), True),
        (exception("gone", "2020-03-01 10:00"), True),
        (cancelled_exception("gone", "2020-03-01 10:00"), True),
    ],
)
def test_a_full_sync_keeps_what_can_still_matter(item: Item, matters: bool) -> None:
    assert can_still_matter(events(item)[0], HORIZON.start, ZONE) is matters


@pytest.mark.parametrize(
    ("item", "starts_at", "ends_at"),
    [
        (single(), "2026-03-12 10:00", "2026-03-12 11:00"),
        (single() | days("2026-03-29", "2026-03-30"), "2026-03-28 23:00", "2026-03-29 22:00"),
        (DAY, "2026-03-10 09:00", "2026-03-10 10:00"),
        (daily(rule="nonsense"), "2026-03-10 09:00", "2026-03-10 10:00"),
        (tombstone("one"), None, None),
    ],
)
def test_a_mirror_row_has_the_instants_of_its_item(item: Item, starts_at: str | None, ends_at: str | None) -> None:
    row = mirror_row(events(item)[0], ZONE)

    assert [row.starts_at, row.ends_at] == [at(text) if text else None for text in (starts_at, ends_at)]


def test_a_bare_tombstone_of_an_opaque_id_cancels_the_exception_the_mirror_knows_by_it() -> None:
    opaque = {**MOVED, "id": "opaque0instance0id"}
    gone = {"id": "opaque0instance0id", "status": "cancelled"}

    state = merged([DAY, opaque], [gone])

    assert starts(state) == ["10 09:00", "11 09:00", "12 09:00", "14 09:00"]
    assert set(state.families) == {"day"}
    # Read back from the mirror it is still linked.
    assert starts(merged([DAY, opaque], [gone], [{**DAY, "summary": "renamed"}])) == starts(state)
