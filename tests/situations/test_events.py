"""Situations 1 to 7 (events): moved, cancelled, split, moved away, id-only; in both variants of what Google lists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.situations.quiet import Quiet, connect, quieten, shifted, sync_all, timed
from tests.world import World

DOCUMENTED: dict[str, Any] = {"tombstones": "documented", "cancelled_exceptions": "linked"}
SPARSE: dict[str, Any] = {"tombstones": "sparse", "cancelled_exceptions": "sparse"}
both_tombstones = pytest.mark.parametrize("tombstones", [DOCUMENTED, SPARSE], ids=["documented", "sparse"])
both_orders = pytest.mark.parametrize("order", ["changed", "reversed"])


def daily(quiet: Quiet) -> str:
    (series,) = quiet.insert(timed("Daily", "2028-02-11T09:00", "RRULE:FREQ=DAILY;COUNT=20"))
    return series


@both_tombstones
@pytest.mark.parametrize("listed", [True, False], ids=["orphans listed", "orphans vanish"])
@pytest.mark.parametrize("together", [True, False], ids=["one sync", "two syncs"])
def test_situation_01_instance_moved_then_series_deleted(
    quiet: Quiet, tombstones: dict[str, Any], listed: bool, together: bool
) -> None:
    quiet.world.google.configure(**tombstones, list_order="reversed", list_orphaned_exceptions=listed)
    series = daily(quiet)
    quiet.sync()
    instance = quiet.instances(series)[5]
    quiet.patch(instance["id"], **shifted(instance, days=30))
    if not together:
        quiet.synced_equal()
    quiet.delete(series)

    assert quiet.synced_equal().deleted == 20

    assert not quiet.live()
    assert {row["status_reason"] for row in quiet.world.meetings(quiet.alice)} == {"deleted"}
    live_items = quiet.world.rows("select google_event_id from calendar_events where status <> 'cancelled'")
    assert live_items == []


@pytest.mark.parametrize(
    "zone_and_start", [("Europe/Zurich", "2028-03-24T09:00"), ("Asia/Kolkata", "2028-02-11T01:30")]
)
def test_situation_02_a_never_seen_exception_arrives_as_id_and_status(
    quiet: Quiet, zone_and_start: tuple[str, str]
) -> None:
    zone, start = zone_and_start
    quiet.world.google.configure(**SPARSE)
    (series,) = quiet.insert(timed("Daily", start, "RRULE:FREQ=DAILY;COUNT=10", zone=zone))
    quiet.sync()
    cancelled = quiet.instances(series)[5]["id"]
    quiet.delete(cancelled)

    assert quiet.settled().deleted == 1

    assert cancelled not in quiet.live()
    mirrored = quiet.world.rows("select * from calendar_events where google_event_id = %s", cancelled)[0]
    assert (mirrored["recurring_event_id"], mirrored["kind"]) == (series, "exception")


@both_tombstones
def test_situation_03_instance_cancelled_before_the_first_sync(world: World, tombstones: dict[str, Any]) -> None:
    quieten(world)
    world.google.configure(**tombstones)
    quiet = Quiet(world, world.person(time_zone="Europe/Zurich"))
    series = daily(quiet)
    cancelled = quiet.instances(series)[3]["id"]
    quiet.delete(cancelled)

    connect(world, quiet.alice)

    quiet.assert_equal()
    assert len(quiet.live()) == 19
    assert [row for row in world.meetings(quiet.alice) if row["google_calendar_event_id"] == cancelled] == []


@both_orders
@pytest.mark.parametrize("page_size", [1, 250])
@pytest.mark.parametrize("full", [True, False], ids=["full", "delta"])
def test_situation_04_exception_before_its_master_across_pages(
    quiet: Quiet, order: str, page_size: int, full: bool
) -> None:
    quiet.world.google.configure(list_order=order, page_size_limit=page_size)
    series = daily(quiet)
    shown = quiet.instances(series)
    quiet.patch(shown[2]["id"], **shifted(shown[2], hours=3))
    quiet.patch(shown[4]["id"], summary="Renamed")
    quiet.delete(shown[6]["id"])

    assert (quiet.resync() if full else quiet.sync()).created == 19

    quiet.settled()


@both_orders
@pytest.mark.parametrize("style", ["web", "client"])
@pytest.mark.parametrize("page_size", [1, 250])
def test_situation_05_this_and_following_has_no_duplicate_and_no_gap(
    quiet: Quiet, order: str, style: str, page_size: int
) -> None:
    quiet.world.google.configure(list_order=order, page_size_limit=page_size)
    series = daily(quiet)
    quiet.sync()
    starts = [row["start_time"] for row in quiet.live().values()]
    quiet.split(series, quiet.instances(series)[8]["id"], {"summary": "From here on"}, style)

    quiet.settled()

    assert [row["start_time"] for row in quiet.live().values()] == starts
    assert [row["title"] for row in quiet.live().values()] == ["Daily"] * 8 + ["From here on"] * 12


@both_tombstones
@pytest.mark.parametrize("source_first", [True, False])
@pytest.mark.parametrize("recurs", [True, False])
def test_situation_06_event_moved_to_another_calendar_synced_in_either_order(
    world: World, tombstones: dict[str, Any], source_first: bool, recurs: bool
) -> None:
    quieten(world)
    world.google.configure(**tombstones)
    quiet = Quiet(world, world.person(time_zone="Europe/Zurich"))
    world.google.add_calendar(quiet.email, "team@example.com", time_zone="Europe/Zurich")
    connect(world, quiet.alice, ["primary", "team@example.com"])
    rule = ["RRULE:FREQ=DAILY;COUNT=5"] if recurs else []
    (moved,) = quiet.insert(timed("Moved", "2028-02-12T09:00", *rule))
    sync_all(world, quiet.alice)

    world.google.move_event(quiet.email, moved, "team@example.com", notify=False)
    first, second = ("primary", "team@example.com") if source_first else ("team@example.com", "primary")
    for google_id in (first, second):
        world.db.execute("update calendar_webhooks set due_at = now() + interval '1 hour'")
        world.db.execute(
            "update calendar_webhooks set due_at = now() - interval '1 second' where google_calendar_id = %s",
            (google_id,),
        )
        assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]
        world.assert_equal(quiet.alice, google_id)

    assert len(quiet.live()) == (5 if recurs else 1)
    live = world.rows("select distinct calendar_id from meetings where status <> 'cancelled'")
    assert [row["calendar_id"] for row in live] == [world.calendar(quiet.alice, "team@example.com")["id"]]


@both_tombstones
def test_situation_07_id_only_stubs_without_start_crash_nothing(quiet: Quiet, tombstones: dict[str, Any]) -> None:
    """Of an event that was known, and of one that was never seen."""
    world = quiet.world
    world.google.configure(**tombstones)
    world.google.add_calendar(quiet.email, "team@example.com")
    (known,) = quiet.insert(timed("Known", "2028-02-12T09:00"))
    quiet.sync()
    (unseen,) = quiet.insert(timed("Unseen", "2028-02-13T09:00"))
    for event_id in (known, unseen):
        world.google.move_event(quiet.email, event_id, "team@example.com", notify=False)

    outcome = quiet.settled()

    assert (outcome.processed, outcome.deleted) == (2, 1)
    assert not quiet.live()
