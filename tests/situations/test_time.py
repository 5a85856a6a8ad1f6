"""Situation 25 (time): local times and dates hold across changes to summer and winter time."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tests.situations.quiet import NEW_YORK, ZURICH, all_day, quiet_world, timed
from tests.world import World

SPRING, AUTUMN = dt.datetime(2028, 3, 1, 12, tzinfo=dt.UTC), dt.datetime(2028, 10, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("now", [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize("zone", [ZURICH, NEW_YORK, "Australia/Sydney", "Asia/Tokyo"])
def test_situation_25_a_weekly_meeting_and_an_all_day_event_hold_their_local_time_and_date(
    world: World, now: dt.datetime, zone: str
) -> None:
    """The user lives in `zone`; the weekly meeting is at 09:00 in Zurich whoever looks at it."""
    quiet = quiet_world(world, zone, now)
    first = (now + dt.timedelta(days=1)).date()
    weekly, days, _ = quiet.insert(
        timed("Weekly", f"{first}T09:00", "RRULE:FREQ=WEEKLY"),
        all_day("Weekly off", first.isoformat(), "RRULE:FREQ=WEEKLY"),
        all_day("Once", (first + dt.timedelta(days=24)).isoformat(), days=3),
    )

    quiet.settled()

    own = ZoneInfo(zone)
    meetings = quiet.live().values()
    starts = [row["start_time"] for row in meetings if row["google_calendar_event_id"].startswith(weekly)]
    assert {start.astimezone(ZoneInfo(ZURICH)).time() for start in starts} == {dt.time(9)}
    assert len({start.astimezone(dt.UTC).time() for start in starts}) == 2, "the horizon has a change of time"
    all_days = [row for row in meetings if row["google_calendar_event_id"].startswith(days)]
    assert {row["start_time"].astimezone(own).time() for row in all_days} == {dt.time()}
    dates = [row["start_time"].astimezone(own).date() for row in all_days]
    assert dates == [first + dt.timedelta(weeks=week) for week in range(len(dates))]
    assert {row["is_all_day"] for row in all_days} == {True}


def test_situation_25_the_ids_of_instances_are_in_utc_on_both_sides_of_the_change(world: World) -> None:
    quiet = quiet_world(world, ZURICH, SPRING)
    (weekly,) = quiet.insert(timed("Weekly", "2028-03-20T09:00", "RRULE:FREQ=WEEKLY;COUNT=2"))

    quiet.settled()

    assert list(quiet.live()) == [f"{weekly}_20280320T080000Z", f"{weekly}_20280327T070000Z"]
