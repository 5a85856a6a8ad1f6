"""What a delta is merged into: whole families, but for exceptions that concern no other occurrence."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.sql.database import Database, Row, event, part

DAY = "2030-01-{:02}T12:00:00+00:00"


def exception(day: int, event_id: str | None = None, **more: Any) -> Row:
    event_id = event_id or f"series_{day}"
    return event(event_id, base_event_id="series", kind="exception", original_start_at=DAY.format(day), **more)


def series(event_id: str = "series", **more: Any) -> Row:
    return event(event_id, kind="series", **more)


def named(day: int = 3, event_id: str | None = None, series_id: str = "series") -> Row:
    return {
        "base_event_id": "series",
        "google_event_id": event_id or f"series_{day}",
        "series_id": series_id,
        "original_start_at": DAY.format(day),
    }


def read(db: Database, calendar: Row, *exceptions: Row, **more: Any) -> Row:
    answer: Row = db.value(
        "read_families",
        p_calendar_id=calendar["id"],
        p_base_event_ids=[],
        p_exceptions=Jsonb(list(exceptions)),
        **more,
    )
    return answer


@pytest.mark.parametrize(
    "stored",
    [
        [series()],
        [series(), exception(3)],
        [series(), exception(3, status="cancelled"), exception(4)],
    ],
    ids=["new", "known", "cancelled before"],
)
def test_nothing_is_read_of_a_series_for_an_exception_that_stands_alone(db: Database, stored: list[Row]) -> None:
    calendar = db.calendar()
    db.sync(calendar, part(events=stored))

    answer = read(db, calendar, named(3), p_event_ids=["series_3"])

    assert answer == {"alone": ["series"], "events": [], "earliest": {}}


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ([exception(3)], [named(3)]),
        ([series(status="cancelled")], [named(3)]),
        ([series(), series("series_R2030")], [named(3)]),
        ([series(), event("series_5")], [named(3)]),
        ([event("series_3")], [named(3)]),
        ([series()], [named(3, series_id="series_R2030")]),
        ([series(), exception(3, "opaque")], [named(3)]),
        ([series(), exception(4, "series_3")], [named(3)]),
        ([series()], [named(3), named(3, "opaque")]),
        ([series(), event("other_3", kind="exception")], [named(3, "other_3")]),
    ],
    ids=[
        "no series", "ended", "split", "with a single", "a single's id", "another's exception", "under two ids",
        "of another start", "both named", "of another family",
    ],
)  # fmt: skip
def test_a_family_in_which_it_may_stand_for_another_is_read_whole(
    db: Database, stored: list[Row], asked: list[Row]
) -> None:
    calendar = db.calendar()
    db.sync(calendar, part(events=stored))

    answer = read(db, calendar, *asked)

    assert answer["alone"] == []
    mine = [each["google_event_id"] for each in stored if each["base_event_id"] == "series"]
    assert sorted(each["details"]["id"] for each in answer["events"]) == sorted(mine)


def test_a_family_that_is_cut_or_set_aside_is_read_whole(db: Database) -> None:
    calendar, other = db.calendar(), db.calendar()
    db.sync(calendar, part(events=[series()], cut=["series"]))
    db.sync(other, part(events=[series()]))
    db.insert(
        "calendar_set_aside", calendar_id=other["id"], base_event_id="series", reason="unreadable", error_code="x"
    )

    assert [read(db, each, named())["alone"] for each in (calendar, other)] == [[], []]


def test_an_exception_alone_says_when_it_enters_and_leaves_its_series_be(db: Database) -> None:
    calendar = db.calendar()
    far, later = "2030-06-01T12:00:00+00:00", "2030-07-01T12:00:00+00:00"
    db.sync(calendar, part(events=[series(), exception(3)], entering={"series": far, "series_3": far}, cut=["series"]))

    db.sync(calendar, part(events=[exception(3)], families=[], alone=["series_3"], entering={"series_3": later}))
    rows = db.rows("select google_event_id, enters_at, is_cut from calendar_events order by google_event_id")
    assert [(row["enters_at"].isoformat()[:10], row["is_cut"]) for row in rows] == [
        ("2030-06-01", True), ("2030-07-01", False)
    ]  # fmt: skip

    db.sync(calendar, part(events=[exception(3)], families=[], alone=["series_3"]))
    rows = db.rows("select enters_at from calendar_events where google_event_id = 'series_3'")
    assert rows == [{"enters_at": None}]
    assert db.calendar_row(calendar["id"])["next_entry_at"].isoformat()[:10] == "2030-06-01"


def test_a_commit_that_has_nothing_to_write_leaves_what_is_to_enter(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part(events=[series()], entering={"series": "2030-06-01T12:00:00+00:00"}, cut=["series"]))
    before = db.calendar_row(calendar["id"])

    db.sync(calendar)

    after = db.calendar_row(calendar["id"])
    kept = ("next_entry_at", "series_cut")
    assert [after[name] for name in kept] == [before[name] for name in kept] != [None, 0]
