"""The worker as a real process: takes up what is due, and leaves cleanly whenever it is asked to."""

from __future__ import annotations

import pytest

from tests.flows.processes import Process, worker
from tests.world import Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    """A synced calendar with three unannounced changes."""
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    for number in range(3):
        world.google.insert_event(alice.email, world.event(f"New {number}", hours=number + 2))
    return alice


def is_leased(world: World, person: Person) -> bool:
    return world.calendar(person)["lease_expires_at"] is not None


def test_the_worker_takes_up_what_becomes_due(world: World, alice: Person) -> None:
    with worker(world) as process:
        wait_until(lambda: "worker_started" in process.log, "the worker is up")
        world.make_due(alice)
        world.await_equal(alice)
        world.google.insert_event(alice.email, world.event("Later"))
        world.make_due(alice)
        world.await_equal(alice)


def test_the_worker_renews_watches_that_are_about_to_lapse(world: World, alice: Person) -> None:
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    with worker(world):
        wait_until(
            lambda: sorted(channel["state"] for channel in world.google.channels()) == ["live", "stopped"], "a renewal"
        )
    live = next(channel for channel in world.google.channels() if channel["state"] == "live")
    assert world.calendar(alice)["webhook_id"] == live["id"]


def test_an_idle_worker_stops_by_itself_on_sigterm(world: World) -> None:
    with worker(world, arguments=("sync.cli", "worker")) as process:
        wait_until(lambda: "worker_started" in process.log, "the worker is up")
        process.terminate()
        assert process.wait() == 0
        assert "worker_stopped" in process.log


def test_sigterm_between_two_pages_gives_the_claim_back_at_once(world: World, alice: Person) -> None:
    world.google.add_fault("small_pages", size=1)
    hold = world.google.add_fault("hold", method="events.list", page=1, times=1)
    world.make_due(alice)
    with worker(world) as process:
        assert world.google.wait_held(hold)
        process.terminate()
        wait_until(lambda: "worker_stopping" in process.log, "the worker has heard it")
        assert is_leased(world, alice)
        world.google.release(hold)
        assert process.wait() == 0, process.log

    assert not is_leased(world, alice)
    assert world.google_calls("events.list.incremental") == 1
    assert world.sweep().outcomes[0].status == "completed"
    world.assert_equal(alice)


def test_sigterm_during_a_commit_lets_it_end(world: World, alice: Person) -> None:
    world.supabase.fault("commit_sync", "hold")
    world.make_due(alice)
    with worker(world) as process:
        world.supabase.await_held()
        process.terminate()
        world.supabase.clear_faults()
        assert process.wait() == 0, process.log

    assert not is_leased(world, alice)
    world.assert_equal(alice)


def test_a_worker_claims_no_more_than_it_has_room_for(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop")
    hold = world.google.add_fault("hold", method="events.list")
    world.make_due()
    with worker(world, SYNC_THREADS="1") as process:
        assert world.google.wait_held(hold)
        assert sorted([is_leased(world, alice), is_leased(world, bob)]) == [False, True]
        process.terminate()
        world.google.release(hold)
        assert process.wait() == 0, process.log

    assert not is_leased(world, alice)
    assert not is_leased(world, bob)


def test_one_slow_calendar_holds_nobody_up(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop")
    hold = world.google.add_fault("hold", method="events.list", calendar=alice.email)
    world.make_due(alice)
    with worker(world):
        assert world.google.wait_held(hold)
        world.google.insert_event(bob.email, world.event("Quick"))
        world.make_due(bob)
        world.await_equal(bob)
        world.google.release(hold)
        world.await_equal(alice)


def test_a_worker_without_a_store_keeps_trying_and_still_stops(world: World) -> None:
    with worker(world, SUPABASE_URL="http://127.0.0.1:9") as process:
        wait_until(lambda: "sweep_failed" in process.log, "the first attempt failed")
        assert process.is_running
        process.terminate()
        assert process.wait() == 0


def test_bad_settings_are_all_named_without_values_and_exit_with_2() -> None:
    bad = {
        "SUPABASE_URL": "ftp://somewhere",
        "CHANNEL_TOKEN_SECRET": "too-short",
        "TOKEN_ENCRYPTION_KEYS": "no key at all",
        "SYNC_THREADS": "many",
        "LOG_LEVEL": "shout",
    }
    missing = ("SUPABASE_SERVICE_ROLE_KEY", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "WEBHOOK_BASE_URL")
    process = Process(["-m", "sync.jobs.worker"], bad)
    try:
        assert process.wait() == 2
        for name in (*bad, *missing):
            assert f'"{name}":"' in process.log
        assert not [value for value in bad.values() if value in process.log]
    finally:
        process.close()
