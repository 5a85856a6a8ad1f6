"""From listed items to what a commit writes: whole families, bounded parts, history that follows its series."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.core.meetings.parts import HISTORY_DAYS, ROWS_PER_PART, delta_part, full_parts, horizon_at
from sync.model import SyncPart
from tests.core.items import HORIZON, NOW, ZONE, Item, at, daily, events, exception, single, tombstone


def test_the_horizon_lies_around_now() -> None:
    window = horizon_at(NOW, 1, 60)

    assert (window.start, window.end) == (NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=60))


def full(*items: Item) -> list[SyncPart]:
    return list(full_parts(events(*items), HORIZON, ZONE))


def size(part: SyncPart) -> int:
    return len(part.events) + len(part.derived.meetings) + len(part.derived.withheld)


def test_an_empty_calendar_is_one_empty_part() -> None:
    (part,) = full()

    assert (part.families, part.events, part.forgotten, part.derived.meetings) == ((), (), (), ())


def test_a_small_calendar_is_one_part() -> None:
    (part,) = full(single("a"), daily("b", rule="FREQ=DAILY;COUNT=3"), exception("b", "2026-03-11 09:00"))

    assert part.families == ("a", "b")
    assert len(part.events) == 3
    assert len(part.derived.meetings) == 4


def test_a_large_calendar_comes_in_bounded_parts() -> None:
    parts = full(*(single(f"e{number}") for number in range(ROWS_PER_PART + 1)))

    assert len(parts) == 3
    assert sum(len(part.events) for part in parts) == ROWS_PER_PART + 1
    assert all(size(part) <= ROWS_PER_PART for part in parts)


def test_occurrences_that_are_no_meetings_count_too() -> None:
    parts = full(*(daily(f"e{number}", rule="FREQ=DAILY;COUNT=60", location=None) for number in range(40)))

    assert sum(len(part.derived.withheld) for part in parts) == 40 * 60
    assert all(size(part) <= ROWS_PER_PART for part in parts)


def test_a_family_larger_than_a_part_is_a_part_of_its_own() -> None:
    parts = full(single("a"), daily("b", rule="FREQ=MINUTELY;INTERVAL=30;COUNT=1500"), single("c"))

    assert [part.families for part in parts] == [("a",), ("b",), ("c",)]
    assert len(parts[1].derived.meetings) == 1500


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 400), st.booleans()), max_size=12), st.randoms())
def test_parts_never_split_a_family_and_lose_nothing(
    shapes: list[tuple[int, int, bool]],
    order: random.Random,
) -> None:
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

    parts = full(*items)

    homes = [family for part in parts for family in part.families]
    assert sorted(homes) == sorted(f"e{number}" for number in range(len(shapes)))
    written = {row.google_event_id: part.families for part in parts for row in part.events}
    assert sorted(written) == sorted(item["id"] for item in items)
    for part in parts:
        assert {row.base_event_id for row in part.events} == set(part.families)
        assert {meeting.base_event_id for meeting in part.derived.meetings} <= set(part.families)
        assert size(part) <= ROWS_PER_PART or len(part.families) == 1


def test_a_delta_writes_only_what_it_names_and_derives_the_whole_family() -> None:
    stored = events(daily("b", rule="FREQ=DAILY;COUNT=3"))

    delta = delta_part(stored, events(exception("b", "2026-03-11 09:00", "2026-03-11 15:00")), HORIZON, None, ZONE)

    assert [row.google_event_id for row in delta.part.events] == ["b_20260311T090000Z"]
    assert delta.part.families == ("b",)
    starts = sorted(meeting.start_time for meeting in delta.part.derived.meetings)
    assert starts == [at("2026-03-10 09:00"), at("2026-03-11 15:00"), at("2026-03-12 09:00")]


def test_a_deleted_event_is_a_family_without_meetings() -> None:
    delta = delta_part(events(single("a")), events(tombstone("a")), HORIZON, NOW, ZONE)

    assert delta.part.families == ("a",)
    assert delta.part.derived.meetings == ()
    assert [(row.google_event_id, row.status) for row in delta.part.events] == [("a", "cancelled")]


@pytest.mark.parametrize(
    ("earliest", "first", "covered_from"),
    [
        (None, "2026-03-09 12:00", None),
        ("2026-03-20 12:00", "2026-03-09 12:00", None),
        ("2026-02-01 12:00", "2026-02-01 12:00", None),
        ("2020-01-01 12:00", None, HORIZON.start - dt.timedelta(days=HISTORY_DAYS)),
    ],
)
def test_history_follows_its_series_as_far_back_as_rows_exist(
    earliest: str | None, first: str | None, covered_from: dt.datetime | None
) -> None:
    series = daily("b", "2019-01-01 12:00", rule="FREQ=DAILY")

    delta = delta_part([], events(series), HORIZON, at(earliest) if earliest else None, ZONE)

    begins = min(meeting.start_time for meeting in delta.part.derived.meetings)
    assert delta.covered_from == covered_from
    assert begins == (at(first) if first else HORIZON.start - dt.timedelta(days=HISTORY_DAYS))
