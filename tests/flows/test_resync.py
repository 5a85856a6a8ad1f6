"""Sync tokens and page tokens that Google no longer takes: list anew, half-apply nothing, find what was deleted."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.world import JsonObject, Person, World


@pytest.fixture
def alice(world: World) -> Person:
    """A synced calendar with unannounced changes: five new events, one deleted."""
    alice = world.person()
    gone = world.google.insert_event(alice.email, world.event("Gone", hours=9), notify=False)
    world.google.insert_event(alice.email, world.event("Kept", hours=10), notify=False)
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.delete_event(alice.email, gone["id"])
    for number in range(5):
        world.google.insert_event(alice.email, world.event(f"New {number}", hours=number + 2))
    world.make_due(alice)
    world.reset_counters()
    return alice


def lists(world: World) -> tuple[int, int]:
    """(incremental, full) list calls, pages counted."""
    return world.google_calls("events.list.incremental"), world.google_calls("events.list.full")


def assert_full_sync_made_it_equal(world: World, alice: Person, reason: str) -> None:
    log = world.logs(alice)[-1]
    assert (log["status"], log["sync_type"], log["is_full"], log["reason"]) == ("completed", "full", True, reason)
    assert (log["meetings_created"], log["meetings_updated"], log["meetings_deleted"]) == (5, 0, 1)
    world.assert_equal(alice)


def test_an_expired_sync_token_becomes_one_full_sync(world: World, alice: Person) -> None:
    world.google.expire_sync_tokens(alice.email)

    world.sweep()

    assert lists(world) == (1, 1)
    assert_full_sync_made_it_equal(world, alice, "fullSyncRequired")


@pytest.mark.parametrize("variant", ["gone", "bad_request"])
def test_a_corrupt_sync_token_becomes_one_full_sync(world: World, alice: Person, variant: str) -> None:
    world.google.configure(corrupt_token=variant)
    world.db.execute("update calendar_webhooks set sync_token = 'corrupt'")

    world.sweep()

    assert lists(world) == (1, 1)
    assert_full_sync_made_it_equal(world, alice, "fullSyncRequired" if variant == "gone" else "invalid")


def test_410_on_page_three_applies_nothing_of_the_broken_run_and_finds_deletions(world: World, alice: Person) -> None:
    world.google.add_fault("small_pages", size=2, mode="incremental")
    world.google.add_fault("gone", method="events.list", mode="incremental", page=3)
    before = world.calendar(alice)["sync_token"]

    world.sweep()

    assert lists(world) == (3, 1)
    assert_full_sync_made_it_equal(world, alice, "fullSyncRequired")
    assert world.calendar(alice)["sync_token"] != before


def test_410_on_page_three_of_a_full_list_stores_nothing_and_is_tried_again(world: World, alice: Person) -> None:
    world.google.expire_sync_tokens(alice.email)
    world.google.add_fault("small_pages", size=2)
    world.google.add_fault("gone", method="events.list", mode="full", page=3, times=1)
    before = world.meetings(alice), world.calendar(alice)["sync_token"]

    assert world.sweep().outcomes[0].error_code == "full_listing_fullSyncRequired"
    assert (world.meetings(alice), world.calendar(alice)["sync_token"]) == before
    world.make_due(alice)
    world.sweep()

    assert_full_sync_made_it_equal(world, alice, "fullSyncRequired")


def test_an_endless_410_is_bounded_and_backs_off(world: World, alice: Person) -> None:
    world.google.add_fault("gone", method="events.list")

    assert world.sweep().outcomes[0].status == "failed"
    assert lists(world) == (1, 1)
    assert world.sweep().outcomes == ()

    assert world.calendar(alice)["paused_reason"] is None
    world.google.clear_faults()
    world.make_due(alice)
    world.sweep()
    world.assert_equal(alice)


def test_a_rejected_page_token_begins_again_from_the_committed_sync_token(world: World, alice: Person) -> None:
    world.google.add_fault("small_pages", size=2)
    world.google.add_fault("page_token_rejected", page=3, times=1)

    assert world.sweep().outcomes[0].status == "completed"

    # Two good pages, a rejected one, then all three again (six changes).
    assert lists(world) == (6, 0)
    world.assert_equal(alice)


def test_page_tokens_that_are_always_rejected_are_bounded(world: World, alice: Person) -> None:
    world.google.add_fault("small_pages", size=2)
    world.google.add_fault("page_token_rejected")

    assert world.sweep().outcomes[0].error_code == "listing_keeps_breaking"

    assert lists(world) == (8, 0)
    world.google.clear_faults()
    world.make_due(alice)
    world.sweep()
    world.assert_equal(alice)


@pytest.mark.parametrize("expired", [False, True])
def test_empty_pages_with_a_next_token_are_followed(world: World, alice: Person, expired: bool) -> None:
    world.google.add_fault("small_pages", size=2)
    world.google.add_fault("empty_page", page=1)
    world.google.add_fault("empty_page", page=3)
    if expired:
        world.google.expire_sync_tokens(alice.email)

    assert world.sweep().outcomes[0].status == "completed"

    world.assert_equal(alice)


@pytest.mark.parametrize("order", ["reversed", "id"])
@pytest.mark.parametrize("tombstones", ["sparse", "full"])
def test_any_order_of_items_across_pages_comes_to_the_same(world: World, order: str, tombstones: str) -> None:
    """An exception may come before its master, and on another page; in a full list and in a delta."""
    world.google.configure(list_order=order, tombstones=tombstones, cancelled_exceptions=tombstones, push="drop")
    world.google.add_fault("small_pages", size=1)
    alice = world.person(time_zone="Europe/Zurich")
    change_a_series(world, alice, "Old")
    world.connect(alice)
    world.assert_equal(alice)

    change_a_series(world, alice, "New")
    world.poll(alice)

    world.assert_equal(alice)
    assert any(title.startswith("New") for title in world.live_titles(alice))


def change_a_series(world: World, alice: Person, name: str) -> JsonObject:
    """A daily series with one instance renamed, one moved and one cancelled."""
    rule = ["RRULE:FREQ=DAILY;COUNT=8"]
    series = world.google.insert_event(
        alice.email, world.event(name, hours=20, recurrence=rule, time_zone=alice.time_zone)
    )
    instances = world.google.instances(alice.email, world.now.isoformat(), world.ahead(days=365))
    ids = [event["id"] for event in instances if event.get("recurringEventId") == series["id"]]
    world.google.patch_event(alice.email, ids[1], {"summary": f"{name} renamed"})
    moved = world.event(hours=20 + 24 * 3 + 2)
    world.google.patch_event(alice.email, ids[3], {"start": moved["start"], "end": moved["end"]})
    world.google.delete_event(alice.email, ids[5])
    return series


def test_a_change_of_the_calendars_time_zone_moves_its_all_day_events(world: World, alice: Person) -> None:
    today = world.now.date()
    start, end = ({"date": (today + dt.timedelta(days=days)).isoformat()} for days in (0, 2))
    world.google.insert_event(alice.email, world.event("Offsite", start=start, end=end), notify=False)
    world.sweep()
    world.assert_equal(alice)
    # The emulator keeps an account's zone, so it is our side that is made to remember another one.
    world.db.execute("update calendar_webhooks set time_zone = 'America/New_York'")
    world.db.execute("update meetings set start_time = start_time - interval '5 hours' where is_all_day")

    world.poll(alice)

    assert world.logs(alice)[-1]["reason"] == "time_zone_changed"
    world.assert_equal(alice)
