"""The horizon moves forward from the mirror alone: what enters it appears, what leaves it stays as history."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from sync.jobs.syncing.audit_drift import Audit, audit_drift
from sync.jobs.syncing.roll_horizon import LAG_SECONDS, Roll, roll_horizons
from tests.situations.quiet import (
    NEW_YORK,
    NOW,
    Quiet,
    all_day,
    beside,
    connect,
    quieten,
    shifted,
    sync_all,
    timed,
    written,
)
from tests.world import World, wait_until


def roll(quiet: Quiet, **by: float) -> Roll:
    """Time passes, and the cron rolls."""
    quiet.world.travel_to(quiet.world.now + dt.timedelta(**by))
    rolled = roll_horizons(quiet.world.services, budget_seconds=30)
    assert rolled.failed == 0
    return rolled


def assert_equal_from(quiet: Quiet, start: dt.datetime) -> None:
    """Equal from `start` to the horizon's end, but for what may wait to enter together."""
    until = quiet.world.now + dt.timedelta(days=quiet.world.settings.horizon_future_days, seconds=-LAG_SECONDS)
    found = quiet.world.differences_between(quiet.alice, start, until)
    assert not found, "\n".join(found)


def test_400_days_pass_and_every_meeting_enters_in_time_without_a_call_to_google(quiet: Quiet) -> None:
    """A year of series with exceptions far ahead, singles, all-day events, and changes of time in three zones."""
    weekly, daily, days, _ = quiet.insert(
        timed("Weekly", "2028-02-08T09:00", "RRULE:FREQ=WEEKLY;COUNT=53"),
        timed("Daily", "2028-02-11T17:00", "RRULE:FREQ=DAILY;UNTIL=20281231T230000Z", zone=NEW_YORK),
        all_day("Month's end", "2028-02-29", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1", days=2),
        timed("Extra", "2028-03-01T09:00", "RDATE:20280701T100000Z,20290301T100000Z", zone="Australia/Sydney"),
    )
    quiet.insert(
        *(timed(f"Single {day}", f"2028-{day % 12 + 1:02}-{day % 28 + 1:02}T13:00") for day in range(0, 90, 5))
    )
    quiet.insert(all_day("Far away", "2029-02-01"), timed("No length", "2028-09-01T08:00", minutes=0))
    for series in (weekly, daily, days):
        ahead = quiet.instances(series, days=300)
        quiet.patch(ahead[-1]["id"], summary="Renamed far ahead")
        quiet.patch(ahead[-2]["id"], **shifted(ahead[-2], days=-100))
        quiet.patch(ahead[len(ahead) // 2]["id"], **shifted(ahead[len(ahead) // 2], days=70))
        quiet.delete(ahead[-3]["id"])
    quiet.sync()
    quiet.world.reset_counters()
    begun, logs = quiet.world.now, len(quiet.world.logs(quiet.alice))

    entered = 0
    while quiet.world.now < NOW + dt.timedelta(days=400):
        entered += roll(quiet, days=4, hours=7).entered
        assert_equal_from(quiet, quiet.world.now)

    assert_equal_from(quiet, begun - dt.timedelta(days=1))
    assert quiet.world.google.counters()["calls"] == {}
    assert len(quiet.world.logs(quiet.alice)) == logs
    brought_in = quiet.world.rows("select 1 from meetings where entered_horizon_at is not null")
    assert len(brought_in) == entered > 300
    # Half a year without use ended the grant; nothing but the token was missed.
    quiet.alice.refresh_token = quiet.world.google.grant(quiet.email)
    connect(quiet.world, quiet.alice)
    assert_equal_from(quiet, quiet.world.now)
    assert written(quiet.sync()) == (0, 0, 0)


def test_a_calendar_that_nothing_enters_is_never_claimed(quiet: Quiet) -> None:
    quiet.insert(timed("Soon", "2028-02-12T09:00"), timed("Ending", "2028-02-12T09:00", "RRULE:FREQ=DAILY;COUNT=9"))
    quiet.sync()
    fence = quiet.world.calendar(quiet.alice)["fence"]
    quiet.world.reset_counters()

    assert roll(quiet, days=2) == Roll()

    assert quiet.world.calendar(quiet.alice)["fence"] == fence
    assert quiet.world.rpcs() == {"claim_rolling_calendars": 1}
    assert_equal_from(quiet, quiet.world.now)


def test_a_calendar_is_claimed_only_when_something_enters(quiet: Quiet) -> None:
    quiet.insert(timed("Weekly", "2028-02-11T09:00", "RRULE:FREQ=WEEKLY"))
    quiet.sync()
    quiet.world.reset_counters()

    rolled = [roll(quiet, hours=6) for _ in range(4 * 28)]

    assert [each.entered for each in rolled if each.rolled] == [1] * 4
    assert quiet.world.rpcs()["commit_roll"] == 4
    assert_equal_from(quiet, NOW)


def test_an_instance_moved_alone_behind_the_horizon_enters_alone(quiet: Quiet) -> None:
    """The series ended long before: its exception says by itself when it enters."""
    (series,) = quiet.insert(timed("Daily", "2028-02-11T17:00", "RRULE:FREQ=DAILY;COUNT=3"))
    quiet.sync()
    moved = quiet.instances(series)[0]
    quiet.patch(moved["id"], **shifted(moved, days=70))
    quiet.sync()

    assert roll(quiet, days=5) == Roll()
    assert roll(quiet, days=7) == Roll(rolled=1, entered=1)
    assert_equal_from(quiet, NOW)


@pytest.mark.parametrize("seen_by", ["delta", "full"])
def test_a_change_of_a_series_moves_what_enters_next(quiet: Quiet, seen_by: str) -> None:
    (series,) = quiet.insert(timed("Monthly", "2028-02-11T17:00", "RRULE:FREQ=MONTHLY"))
    quiet.sync()
    quiet.patch(series, recurrence=["RRULE:FREQ=DAILY"])
    quiet.sync() if seen_by == "delta" else quiet.resync()
    assert roll(quiet, days=1).entered == 1

    quiet.patch(series, recurrence=["RRULE:FREQ=DAILY;COUNT=10"])
    quiet.sync() if seen_by == "delta" else quiet.resync()
    assert roll(quiet, days=5) == Roll()

    quiet.delete(series)
    quiet.sync() if seen_by == "delta" else quiet.resync()
    assert quiet.world.calendar(quiet.alice)["next_entry_at"] is None


@pytest.mark.usefixtures("warnings_are_logged")
def test_a_series_that_a_limit_cuts_is_shown_until_it_is_rarer(quiet: Quiet) -> None:
    # Without a link it has no rows, which would take their time.
    often = {"id": "often", "status": "confirmed", **timed("Often", "2028-02-11T17:00", location="nowhere")}
    quiet.world.google.plant_item(quiet.email, {**often, "recurrence": ["RRULE:FREQ=MINUTELY"]})

    def cut() -> int:
        (row,) = quiet.world.rows("select series_cut from calendar_status")
        return int(row["series_cut"])

    with capture_logs() as logs:
        quiet.sync()
    assert cut() == 1
    assert [line["families"] for line in logs if line["event"] == "occurrences_cut"] == [1]

    with capture_logs() as logs:
        roll(quiet, days=8)
    assert cut() == 1
    assert [line["families"] for line in logs if line["event"] == "occurrences_cut"] == [1]

    quiet.world.google.plant_item(quiet.email, {**often, "recurrence": ["RRULE:FREQ=DAILY"]})
    quiet.sync()
    assert cut() == 0


def test_a_longer_horizon_is_filled_by_the_next_roll_and_a_shorter_one_waits(quiet: Quiet) -> None:
    world = quiet.world
    series = [timed(f"Daily {hour}", f"2028-02-11T{hour:02}:30", "RRULE:FREQ=DAILY") for hour in range(3, 13)]
    quiet.insert(*series)
    quiet.sync()

    longer = replace(world.services_with(HORIZON_FUTURE_DAYS="365"), clock=world.services.clock)
    assert roll_horizons(longer, budget_seconds=30) == Roll(rolled=1, entered=10 * 305)
    assert not world.differences_between(quiet.alice, world.now, world.now + dt.timedelta(days=364))

    assert roll(quiet, days=3) == Roll()
    assert_equal_from(quiet, NOW)


def test_an_audit_finds_no_drift_where_the_horizon_merely_lags(quiet: Quiet) -> None:
    """One family was derived again meanwhile, up to a later end than the other."""
    touched, _ = quiet.insert(
        timed("Hourly", "2028-02-11T00:10", "RRULE:FREQ=HOURLY"),
        timed("Other", "2028-02-11T00:20", "RRULE:FREQ=HOURLY"),
    )
    quiet.sync()
    quiet.world.travel_to(NOW + dt.timedelta(hours=5))
    quiet.patch(touched, summary="Touched")
    quiet.sync()

    behind = replace(quiet.world.services, clock=lambda: quiet.world.now - dt.timedelta(hours=3))
    for services in (quiet.world.services, behind):
        assert audit_drift(services, limit=1) == Audit(calendars=1, differing=0, left=0)
    assert_equal_from(quiet, NOW)


def test_calendars_are_rolled_side_by_side(world: World) -> None:
    """While one waits for the store, the others do not wait for it."""
    quieten(world)
    for person in [world.person() for _ in range(4)]:
        connect(world, person)
        world.google.insert_event(person.email, timed("Daily", "2028-02-11T09:00", "RRULE:FREQ=DAILY"), notify=False)
        sync_all(world, person)
    world.travel_to(NOW + dt.timedelta(days=2))
    world.supabase.fault("commit_roll", "hold")
    with beside(world, lambda: roll_horizons(world.services, budget_seconds=30)) as rolling:
        entered = "select 1 from meetings where entered_horizon_at is not null"
        wait_until(lambda: len(world.rows(entered)) == 3 * 2, "all but the held one are rolled")
        world.supabase.clear_faults()
        assert rolling.result() == Roll(rolled=4, entered=8)


def test_a_meeting_moved_beyond_the_horizon_is_withdrawn_and_comes_back_with_it(quiet: Quiet) -> None:
    single, series = quiet.insert(
        timed("One", "2028-02-20T09:00"), timed("Daily", "2028-02-11T17:00", "RRULE:FREQ=DAILY;COUNT=5")
    )
    quiet.sync()
    instance = quiet.instances(series)[2]
    quiet.patch(single, **shifted(quiet.world.google.get_event(quiet.email, single), days=80))
    quiet.patch(instance["id"], **shifted(instance, days=80))
    assert written(quiet.sync()) == (0, 0, 2)
    assert {quiet.row(event_id)["status_reason"] for event_id in (single, instance["id"])} == {"beyond_horizon"}

    assert roll(quiet, days=20).entered == 0
    assert roll(quiet, days=20).entered == 2

    for event_id in (single, instance["id"]):
        row = quiet.row(event_id)
        assert (row["status"], row["status_reason"]) == ("confirmed", None)
        assert row["entered_horizon_at"] is not None
    assert_equal_from(quiet, NOW)


def test_rows_of_the_past_stay_as_they_were(quiet: Quiet) -> None:
    (series,) = quiet.insert(timed("Weekly", "2028-02-11T09:00", "RRULE:FREQ=WEEKLY"))
    quiet.sync()
    past = quiet.live()

    for _ in range(10):
        roll(quiet, days=10)

    assert past.items() <= quiet.live().items()
    quiet.delete(series)
    quiet.resync()
    assert {row["start_time"] < quiet.world.now for row in quiet.live().values()} == {True}


@pytest.mark.parametrize("minutes", [0, 60])
def test_what_begins_exactly_where_the_horizon_ended_enters(quiet: Quiet, minutes: int) -> None:
    edge = "2028-04-10T12:00"
    single, _ = quiet.insert(
        timed("One", edge, minutes=minutes, zone="UTC"),
        timed("Last", "2028-03-11T12:00", "RRULE:FREQ=DAILY;INTERVAL=30;COUNT=2", minutes=minutes, zone="UTC"),
    )
    quiet.sync()
    assert [row["title"] for row in quiet.live().values()] == ["Last"]

    assert roll(quiet, days=1).entered == 2
    assert single in quiet.live()
    assert_equal_from(quiet, NOW)


def test_a_bad_rule_in_the_mirror_stops_no_other_series(quiet: Quiet) -> None:
    (broken,) = quiet.insert(timed("Broken", "2028-02-11T09:00", "RRULE:FREQ=WEEKLY"))
    (good,) = quiet.insert(timed("Good", "2028-02-12T09:00", "RRULE:FREQ=WEEKLY"))
    quiet.sync()
    quiet.world.db.execute(
        "update calendar_events set details = jsonb_set(details, '{recurrence}', '[\"RRULE:FREQ=NEVER\"]') "
        "where google_event_id = %s",
        (broken,),
    )

    assert roll(quiet, days=30).failed == 0

    assert len([row for row in quiet.live().values() if row["title"] == "Good"]) == len(quiet.instances(good)) + 5


def test_many_families_enter_in_parts_and_each_exactly_once(quiet: Quiet) -> None:
    singles = [timed(f"M{n}", f"2028-04-{11 + n % 15}T{n % 24:02}:15") for n in range(400)]
    quiet.world.google.bulk_insert(quiet.email, singles, notify=False)
    quiet.sync()
    assert not quiet.live()
    quiet.world.reset_counters()

    assert roll(quiet, days=30).entered == 400

    assert quiet.world.rpcs()["commit_roll"] == 2
    assert_equal_from(quiet, NOW)
