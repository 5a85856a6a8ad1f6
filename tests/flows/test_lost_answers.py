"""The store's answers get lost, or the store is away: calls are repeated, and nothing happens twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.stack.faults import Kind
from sync.jobs.driving.poll_due import poll_due
from tests.world import Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    """A synced calendar with one meeting, one new and one deleted that nobody announced, and a stale access token."""
    alice = world.person()
    gone = world.google.insert_event(alice.email, world.event("Gone", hours=6), notify=False)
    world.google.insert_event(alice.email, world.event("Kept"), notify=False)
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("New", hours=5))
    world.google.delete_event(alice.email, gone["id"])
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    world.reset_counters()
    world.make_due(alice)
    return alice


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "http_500"])
@pytest.mark.parametrize("rpc", ["save_tokens", "read_families", "commit_sync", "sweep_state"])
def test_a_lost_call_or_answer_is_repeated_and_nothing_happens_twice(
    world: World, alice: Person, rpc: str, kind: Kind
) -> None:
    world.supabase.fault(rpc, kind)

    sweep = world.sweep()

    assert [(o.status, o.created, o.deleted) for o in sweep.outcomes] == [("completed", 1, 1)]
    # A tombstone is looked up before its family is read.
    assert world.rpcs()[rpc] == (3 if rpc == "read_families" else 2)
    assert [(log["meetings_created"], log["meetings_deleted"]) for log in world.logs(alice)] == [(2, 0), (1, 1)]
    world.assert_equal(alice)


def test_a_claim_whose_answer_was_lost_is_given_again(world: World, alice: Person) -> None:
    world.supabase.fault("claim_due_calendars", "drop_after")

    world.sweep()

    world.assert_equal(alice)
    assert len(world.logs(alice)) == 2


def test_a_lost_answer_to_a_staged_part_changes_nothing_twice(world: World) -> None:
    alice = world.person()
    world.google.bulk_insert(alice.email, [world.event(f"M{n}", hours=n % 900 + 1) for n in range(1100)], notify=False)
    world.supabase.fault("stage_sync", "drop_after")

    world.connect(alice)

    world.assert_equal(alice)
    assert len(world.meetings(alice)) == 1100
    assert [log["status"] for log in world.logs(alice)] == ["completed"]


def test_a_lost_answer_to_the_end_of_a_failed_sync_is_one_failure(world: World, alice: Person) -> None:
    world.google.add_fault("lost_access_404", method="events.list", times=1)
    world.supabase.fault("end_claim", "drop_after")

    assert [outcome.status for outcome in world.sweep().outcomes] == ["failed"]

    assert world.calendar(alice)["consecutive_failures"] == 1
    assert [log["status"] for log in world.logs(alice)] == ["completed", "failed"]


def test_a_lost_answer_to_a_notification_counts_it_and_syncs_once_more_at_most(world: World, alice: Person) -> None:
    world.google.configure(push="deliver")
    world.supabase.fault("record_notification", "drop_after")

    world.google.insert_event(alice.email, world.event("Pushed", hours=7))

    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])
    assert world.google.wait_push_idle()
    assert [each["status"] for each in world.google.deliveries() if each["outcome"] != "dropped"][-1] == 204
    assert world.google_calls("events.list") <= 2


@pytest.mark.parametrize("rpc", ["connect_calendars", "claim_expiring_watches", "begin_channel", "activate_channel"])
def test_a_lost_answer_while_connecting_still_ends_in_one_synced_watched_calendar(world: World, rpc: str) -> None:
    bob = world.person("bob")
    world.google.insert_event(bob.email, world.event(), notify=False)
    world.supabase.fault(rpc, "drop_after")

    world.connect(bob, synced=False)
    # A lost lease of the watch lapses by itself; here it is ended.
    world.db.execute("update calendar_webhooks set watch_retry_at = null where user_id = %s", (bob.user_id,))
    world.renew()
    wait_until(lambda: world.sweep() and world.calendar(bob)["last_synced_at"], "the first sync")
    world.assert_equal(bob)

    assert [channel["state"] for channel in world.google.channels()] == ["live"]
    assert len(world.rows("select 1 from calendar_webhooks where user_id = %s", bob.user_id)) == 1


def test_a_store_that_is_away_costs_no_change(world: World, alice: Person) -> None:
    world.supabase.fault("commit_sync", "drop_before", times=4)
    world.supabase.fault("end_claim", "drop_before", times=4)

    assert [outcome.status for outcome in world.sweep().outcomes] == ["failed"]
    world.make_due(alice)
    world.sweep()

    world.assert_equal(alice)


def test_a_notification_the_store_could_not_take_is_refused_so_that_google_repeats_it(
    world: World, alice: Person
) -> None:
    world.google.configure(push="deliver", push_retry_base_seconds=0.1)
    world.supabase.fault("record_notification", "http_500", times=4)

    world.google.insert_event(alice.email, world.event("Pushed", hours=7))

    world.await_equal(alice)
    assert world.google.wait_push_idle()
    statuses = [each["status"] for each in world.google.deliveries() if each["outcome"] != "dropped"]
    assert statuses[-2:] == [503, 204]


def test_the_failure_of_one_calendar_to_be_given_back_leaves_the_sweep_whole(world: World, alice: Person) -> None:
    """The process is to stop between two pages, and the store does not take the claim back."""
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop")
    world.make_due()
    world.google.add_fault("small_pages", size=1, calendar=alice.email)
    hold = world.google.add_fault("hold", method="events.list", calendar=alice.email)
    world.supabase.fault("release_calendar", "drop_before", times=4)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        sweeping = pool.submit(poll_due, world.services, budget_seconds=30, should_stop=stop.is_set)
        assert world.google.wait_held(hold)
        wait_until(lambda: len(world.logs(bob)) == 2, "the other one is done")
        stop.set()
        world.google.release(hold)
        sweep = sweeping.result()

    assert sorted(outcome.status for outcome in sweep.outcomes) == ["completed", "released"]
    world.google.clear_faults()
    world.make_due()
    wait_until(lambda: world.sweep().remaining == 0, "nothing is due")
    world.assert_equal(alice)
