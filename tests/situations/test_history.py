"""What is over stays as it was, changed only by what the calendar says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from sync.jobs.syncing.audit_drift import audit_drift
from tests.situations.history import history_differences
from tests.situations.quiet import LINK, Quiet, shifted, timed
from tests.world import JsonObject


def pass_days(quiet: Quiet, days: int) -> None:
    """Day after day, each with a sync."""
    for _ in range(days):
        quiet.world.travel_to(quiet.world.now + dt.timedelta(days=1))
        quiet.sync()


def over(quiet: Quiet) -> list[JsonObject]:
    """Rows that ended before the horizon."""
    until = quiet.world.now - dt.timedelta(days=2)
    return [row for row in quiet.world.meetings(quiet.alice) if row["end_time"] < until]


def contents(rows: list[JsonObject]) -> dict[str, tuple[str, str, dt.datetime]]:
    return {row["google_calendar_event_id"]: (row["title"], row["status"], row["start_time"]) for row in rows}


def assert_kept(quiet: Quiet, before: list[JsonObject]) -> None:
    after = contents(over(quiet))
    assert {name: after.get(name) for name in contents(before)} == contents(before)
    assert history_differences(quiet.world, quiet.alice) == []


def audit(quiet: Quiet) -> None:
    found = audit_drift(quiet.world.services, limit=10)
    assert (found.calendars, found.differing) == (1, 0)


FULL_SYNCS = pytest.mark.parametrize("list_all", [Quiet.resync, audit], ids=["resync", "audit"])


@FULL_SYNCS
@pytest.mark.parametrize("style", ["web", "client"])
def test_the_first_half_of_a_split_series_is_history_after_any_full_listing(
    quiet: Quiet, style: str, list_all: Callable[[Quiet], object]
) -> None:
    (daily,) = quiet.insert(timed("Daily", "2028-02-10T15:00", "RRULE:FREQ=DAILY"))
    quiet.sync()
    pass_days(quiet, 20)
    at = next(i["id"] for i in quiet.instances(daily))
    following = quiet.split(daily, at, {"summary": "From here on"}, style=style)
    quiet.settled()
    pass_days(quiet, 4)
    before = over(quiet)
    assert len(before) > 15

    list_all(quiet)
    quiet.patch(following, summary="Edited")
    quiet.sync()

    assert_kept(quiet, [row for row in before if row["title"] == "Daily"])


@FULL_SYNCS
def test_a_series_that_ended_is_history_when_an_old_exception_is_touched(
    quiet: Quiet, list_all: Callable[[Quiet], object]
) -> None:
    (series,) = quiet.insert(timed("Ten", "2028-02-10T15:00", "RRULE:FREQ=DAILY;COUNT=10"))
    quiet.sync()
    third = quiet.instances(series)[2]["id"]
    quiet.patch(third, summary="The third")
    quiet.sync()
    pass_days(quiet, 20)
    before = over(quiet)
    assert len(before) == 10

    list_all(quiet)
    quiet.patch(third, summary="The third, touched")
    quiet.sync()

    changed = [row for row in before if row["google_calendar_event_id"] != third]
    assert_kept(quiet, changed)
    assert quiet.row(third)["title"] == "The third, touched"


@pytest.mark.parametrize("list_all", [Quiet.sync, Quiet.resync], ids=["delta", "full"])
def test_an_edit_of_what_is_over_reaches_its_row_by_any_listing(
    quiet: Quiet, list_all: Callable[[Quiet], object]
) -> None:
    single, series = quiet.insert(
        timed("One", "2028-02-11T15:00"), timed("Five", "2028-02-11T16:00", "RRULE:FREQ=DAILY;COUNT=5")
    )
    quiet.sync()
    pass_days(quiet, 12)
    quiet.resync()

    quiet.patch(single, summary="One, noted")
    quiet.patch(series, summary="Five, noted")
    list_all(quiet)

    titles = {row["title"] for row in over(quiet)}
    assert titles == {"One, noted", "Five, noted"}
    assert history_differences(quiet.world, quiet.alice) == []


def test_what_is_deleted_afterwards_ends_in_history_too(quiet: Quiet) -> None:
    single, series, other = quiet.insert(
        timed("One", "2028-02-11T15:00"),
        timed("Five", "2028-02-11T16:00", "RRULE:FREQ=DAILY;COUNT=5"),
        timed("Other", "2028-02-11T17:00", "RRULE:FREQ=DAILY;COUNT=5"),
    )
    quiet.sync()
    instance = quiet.instances(other)[1]["id"]
    pass_days(quiet, 12)
    quiet.resync()

    quiet.delete(single, series, instance)
    quiet.sync()

    ended = {row["google_calendar_event_id"] for row in over(quiet) if row["status"] == "cancelled"}
    assert single in ended
    assert instance in ended
    assert len(ended) == 7


def test_a_deletion_that_went_by_unseen_ends_no_history(quiet: Quiet) -> None:
    (single,) = quiet.insert(timed("One", "2028-02-11T15:00", location=LINK))
    quiet.sync()
    pass_days(quiet, 12)
    quiet.delete(single)

    quiet.resync()

    assert quiet.row(single)["status"] == "confirmed"


def test_what_moves_into_history_is_found_there_by_a_full_listing_too(quiet: Quiet) -> None:
    (single,) = quiet.insert(timed("One", "2028-02-20T09:00"))
    quiet.sync()
    quiet.patch(single, **shifted(quiet.world.google.get_event(quiet.email, single), days=-20))

    quiet.resync()

    (row,) = over(quiet)
    assert (row["status"], row["start_time"].day) == ("confirmed", 31)
    assert history_differences(quiet.world, quiet.alice) == []
