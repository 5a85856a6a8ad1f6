"""What people do to single instances of a series, and to the series under its exceptions; each time equal to Google."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from scripts.stack.google.errors import ControlError
from sync.core.meetings.derive import derive
from sync.core.meetings.families import merge
from sync.jobs.syncing.ask_google import MAX_ASKED
from tests.core import items
from tests.situations.quiet import Quiet, all_day, shifted, timed, written
from tests.world import World

SPARSE: dict[str, Any] = {"tombstones": "sparse", "cancelled_exceptions": "sparse"}
VARIANTS = {
    "documented": {},
    "sparse, last change first": {**SPARSE, "list_order": "reversed", "page_size_limit": 1},
    "orphans vanish": {"list_orphaned_exceptions": False, "list_order": "id"},
    "opaque instance ids": {"opaque_instance_ids": True},
    "opaque instance ids in bare tombstones": {"opaque_instance_ids": True, **SPARSE},
}


@pytest.fixture(params=VARIANTS)
def varied(quiet: Quiet, request: pytest.FixtureRequest) -> Quiet:
    """A synced daily series of 30 in each variant of how Google lists what changed."""
    quiet.world.google.configure(**VARIANTS[request.param])
    return quiet


def daily(quiet: Quiet, rule: str = "FREQ=DAILY;COUNT=30") -> str:
    (series,) = quiet.insert(timed("Daily", "2028-02-09T09:00", f"RRULE:{rule}"))
    quiet.sync()
    return series


def edit_three(quiet: Quiet, series: str) -> list[str]:
    """One instance renamed, one moved, one cancelled; synced."""
    shown = quiet.instances(series)
    quiet.patch(shown[3]["id"], summary="Renamed")
    quiet.patch(shown[10]["id"], **shifted(shown[10], hours=5))
    quiet.delete(shown[20]["id"])
    quiet.synced_equal()
    return [shown[index]["id"] for index in (3, 10, 20)]


def test_an_instance_is_moved_out_of_the_horizon_and_back(varied: Quiet) -> None:
    series = daily(varied)
    instance = varied.instances(series)[5]
    for days in (90, -60, 0):
        varied.patch(instance["id"], **shifted(instance, days=days))
        varied.settled()
    assert instance["id"] in varied.live()


def test_an_instance_from_beyond_the_horizon_or_the_past_is_moved_into_it(varied: Quiet) -> None:
    (series,) = varied.insert(timed("Daily", "2027-12-01T09:00", "RRULE:FREQ=DAILY"))
    varied.sync()
    for original, days in (("20280501T070000Z", -60), ("20271215T080000Z", 80)):
        instance = varied.world.google.get_event(varied.email, f"{series}_{original}")
        varied.patch(instance["id"], **shifted(instance, days=days))
        assert written(varied.settled()) == (1, 0, 0)


def test_cancelled_instances_come_back_one_by_one(varied: Quiet) -> None:
    series = daily(varied)
    ids = [instance["id"] for instance in varied.instances(series)[2:5]]
    varied.delete(*ids)
    assert written(varied.synced_equal()) == (0, 0, 3)
    for event_id in ids:
        varied.patch(event_id, status="confirmed")
        assert written(varied.settled()) == (0, 1, 0)


def test_a_series_with_exceptions_is_deleted_and_restored(varied: Quiet) -> None:
    series = daily(varied)
    edit_three(varied, series)
    varied.delete(series)
    varied.settled()
    assert not varied.live()
    varied.patch(series, status="confirmed")
    varied.settled()
    assert len(varied.live()) >= 25


@pytest.mark.parametrize("together", [True, False])
def test_an_instance_restored_after_its_series_has_become_a_single_event_is_a_meeting(
    quiet: Quiet, together: bool
) -> None:
    series = daily(quiet)
    (instance,) = [each["id"] for each in quiet.instances(series)[3:4]]
    quiet.delete(instance)
    quiet.patch(series, recurrence=None)
    if not together:
        quiet.synced_equal()
    quiet.patch(instance, status="confirmed")
    quiet.settled()
    assert instance in quiet.live()

    quiet.patch(series, summary="Single")
    quiet.settled()
    assert instance in quiet.live()


def test_an_instance_cancelled_by_itself_stays_so_if_its_restored_series_is_listed_alone() -> None:
    """Whether Google lists the instances of a restored series again is not documented; the emulator does."""
    series, cancelled = items.daily("day"), items.cancelled_exception("day", "2026-03-12 09:00")
    renamed = items.exception("day", "2026-03-13 09:00", summary="Renamed")
    mirror = {event.id: event for event in items.events(series, cancelled, renamed)}
    for delta in ([items.tombstone("day")], [series]):
        state = merge(mirror.values(), items.events(*delta), items.ZONE)
        kept = {event_id: event for event_id, event in mirror.items() if event_id not in state.forgotten}
        mirror = kept | {event.id: event for event in state.changed}

    meetings = derive(list(mirror.values()), items.HORIZON, items.HORIZON.start, items.ZONE).meetings
    assert [meeting.start_time.day for meeting in meetings] == [10, 11, 13, 14]


def test_a_series_becomes_a_single_event_and_a_series_again(varied: Quiet) -> None:
    series = daily(varied)
    edit_three(varied, series)
    varied.patch(series, recurrence=None)
    varied.synced_equal()
    assert not varied.live()
    varied.patch(series, recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])
    varied.settled()
    assert len(varied.live()) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"recurrence": ["RRULE:FREQ=DAILY;COUNT=8"]},
        {"recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU"]},
        {"recurrence": ["RRULE:FREQ=DAILY;COUNT=30", "EXDATE:20280214T080000Z,20280221T080000Z"]},
        timed("Later", "2028-02-09T11:00"),
        timed("Elsewhere", "2028-02-09T09:00", zone="America/New_York"),
        {"recurrence": ["RRULE:FREQ=DAILY;COUNT=60"]},
    ],
    ids=["shorter", "other days", "dates excluded", "other time", "other zone", "longer"],
)
def test_the_rule_or_time_of_a_series_changes_under_its_exceptions(varied: Quiet, changes: dict[str, Any]) -> None:
    series = daily(varied)
    edit_three(varied, series)
    varied.patch(series, **changes)
    varied.settled()


def test_a_rule_changes_and_changes_back(varied: Quiet) -> None:
    series = daily(varied)
    edit_three(varied, series)
    for rule in ("FREQ=WEEKLY;BYDAY=TU", "FREQ=DAILY;COUNT=30"):
        varied.patch(series, recurrence=[f"RRULE:{rule}"])
        varied.settled()


def test_an_all_day_series_and_its_exceptions(varied: Quiet) -> None:
    (series,) = varied.insert(all_day("Off", "2028-02-11", "RRULE:FREQ=DAILY;COUNT=40", days=2))
    varied.sync()
    edited = edit_three_all_day(varied, series)
    assert edited[2] not in varied.live()
    varied.patch(series, **all_day("Off", "2028-02-12", "RRULE:FREQ=DAILY;COUNT=40"))
    varied.settled()


def edit_three_all_day(quiet: Quiet, series: str) -> list[str]:
    shown = quiet.instances(series)
    quiet.patch(shown[3]["id"], summary="Renamed")
    quiet.patch(shown[10]["id"], **shifted(shown[10], days=1))
    quiet.delete(shown[20]["id"])
    quiet.synced_equal()
    return [shown[index]["id"] for index in (3, 10, 20)]


@pytest.mark.parametrize("style", ["web", "client"])
def test_this_and_following_is_edited_without_duplicate_or_gap(varied: Quiet, style: str) -> None:
    series = daily(varied)
    edit_three(varied, series)
    days = {row["start_time"].date() for row in varied.live().values()}
    varied.split(series, varied.instances(series)[7]["id"], {"summary": "From here on"}, style)
    varied.settled()
    assert days <= {row["start_time"].date() for row in varied.live().values()}
    titles = [row["title"] for row in varied.live().values()]
    # A client's split ends the exceptions behind it, Google's own takes them along.
    assert titles.count("Daily") == (8 if style == "web" else 7)


@pytest.mark.parametrize(
    "styles", [("web", "web"), ("client", "client"), ("web", "client"), ("client", "web")], ids=str
)
@pytest.mark.parametrize("later_first", [True, False])
def test_this_and_following_is_repeated(quiet: Quiet, styles: tuple[str, str], later_first: bool) -> None:
    """First late then early, or the second time in the series that was split off."""
    series = daily(quiet)
    edit_three(quiet, series)
    first, second = (15, 6) if later_first else (6, 15)
    shown = quiet.instances(series)
    following = quiet.split(series, shown[first]["id"], {"summary": "Second half"}, styles[0])
    quiet.synced_equal()
    split_again = series if later_first else following
    at = next(
        i["id"] for i in quiet.instances(split_again) if i["originalStartTime"] == shown[second]["originalStartTime"]
    )
    third = quiet.split(split_again, at, shifted(shown[second], hours=2), styles[1])
    quiet.synced_equal()
    quiet.delete(third)
    quiet.synced_equal()
    quiet.delete(series)
    quiet.settled()


@pytest.mark.parametrize("style", ["web", "client"])
def test_this_and_following_is_deleted(varied: Quiet, style: str) -> None:
    """Google does it as a shorter series alone; a client may split and delete."""
    series = daily(varied)
    edit_three(varied, series)
    at = varied.instances(series)[7]["id"]
    if style == "web":
        varied.patch(series, recurrence=["RRULE:FREQ=DAILY;UNTIL=20280217T075959Z"])
    else:
        varied.delete(varied.split(series, at, None, "client"))
    varied.settled()
    assert at not in varied.live()


def test_both_halves_of_a_split_in_one_delta_with_edits_on_both_sides(varied: Quiet) -> None:
    series = daily(varied)
    shown = varied.instances(series)
    following = varied.split(series, shown[9]["id"])
    varied.patch(shown[4]["id"], summary="Before")
    varied.patch(varied.instances(following)[15]["id"], summary="After")
    varied.delete(shown[2]["id"])
    varied.settled()


def test_a_series_with_exceptions_arrives_whole_by_a_full_sync(varied: Quiet) -> None:
    (series,) = varied.insert(timed("Daily", "2028-02-09T09:00", "RRULE:FREQ=DAILY;COUNT=30"))
    shown = varied.instances(series)
    varied.patch(shown[3]["id"], **shifted(shown[3], days=40))
    varied.delete(shown[5]["id"])
    varied.split(series, shown[9]["id"])
    varied.resync()
    varied.settled()


@pytest.mark.parametrize("listed", [True, False], ids=["listed beside the tombstone", "not listed"])
@pytest.mark.parametrize(
    "switches",
    [{"tombstones": "sparse"}, {"tombstones": "full"}, {"tombstones": "sparse", "opaque_instance_ids": True}],
    ids=["bare", "full", "bare, opaque"],
)
def test_an_instance_that_a_guest_keeps_outlives_its_series(
    quiet: Quiet, switches: dict[str, Any], listed: bool
) -> None:
    quiet.world.google.configure(**switches, list_orphaned_exceptions=listed)
    series = daily(quiet)
    shown = quiet.instances(series)
    quiet.patch(shown[3]["id"], summary="Dropped")
    quiet.patch(shown[5]["id"], summary="Kept")
    quiet.patch(shown[10]["id"], **shifted(shown[10], days=80))
    quiet.synced_equal()
    keeping = [shown[5]["id"], shown[10]["id"]]
    quiet.world.google.delete_event(quiet.email, series, keeping=keeping, notify=False)

    # By the delta, and then by a full listing, which has nothing to write.
    assert written(quiet.settled()) == (0, 0, 27)

    assert [row["title"] for row in quiet.live().values()] == ["Kept"]
    quiet.world.travel_to(quiet.world.now + dt.timedelta(days=50))
    quiet.synced_equal()
    assert [row["title"] for row in quiet.live().values()] == ["Kept", "Daily"]


def test_a_series_that_leaves_many_instances_open_is_listed_whole(quiet: Quiet) -> None:
    quiet.world.google.configure(tombstones="sparse", list_orphaned_exceptions=False)
    series = daily(quiet)
    shown = quiet.instances(series)
    for instance in shown[: MAX_ASKED + 1]:
        quiet.patch(instance["id"], summary="Edited")
    quiet.synced_equal()
    quiet.world.google.delete_event(quiet.email, series, keeping=[shown[5]["id"]], notify=False)

    assert quiet.settled().reason == "instances_without_series"

    assert list(quiet.live()) == [shown[5]["id"]]


def test_an_exception_without_its_master_is_a_meeting_of_its_own(world: World, quiet: Quiet) -> None:
    """Invited to one instance of somebody's series: the calendar holds the exception, and never a master."""
    world.google.configure(attendee_copies=True)
    bob = world.person("bob")
    start = timed("Bob's", "2028-02-09T15:00", "RRULE:FREQ=DAILY;COUNT=20")
    series = world.google.insert_event(bob.email, start, notify=False)["id"]
    guest = {"attendees": [{"email": quiet.email}], "summary": "For Alice"}
    try:
        world.google.patch_event(bob.email, f"{series}_20280215T140000Z", guest, notify=False)
    except ControlError as refused:  # pragma: no cover
        raise AssertionError(refused) from refused
    quiet.synced_equal()
    assert [row["title"] for row in quiet.live().values()] == ["For Alice"]
    world.google.delete_event(bob.email, f"{series}_20280215T140000Z", notify=False)
    quiet.settled()
    assert not quiet.live()
