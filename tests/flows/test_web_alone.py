"""Web processes alone, without a worker or a cron: whatever gets lost, they come to what is due by themselves."""

from __future__ import annotations

import httpx
import pytest

from scripts.stack.ports import free_port
from sync.core.accounts.channel_token import channel_token
from sync.jobs.driving.driver import Driver
from sync.jobs.driving.duties import Duty, duties
from sync.jobs.leases import LEASE_SECONDS
from sync.jobs.watching.renew_watches import renew_watches
from tests.flows.processes import Process, gunicorn, worker
from tests.world import TLS, Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    """Connected and synced by a process that is gone."""
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.stop_service()
    world.google.insert_event(alice.email, world.event("New"))
    return alice


def announce(world: World, port: int) -> int:
    """A notification of the live channel, sent to a process of our choice."""
    live = world.rows("select id, resource_id from calendar_channels where state = 'live'")[0]
    headers = {
        "X-Goog-Channel-ID": live["id"],
        "X-Goog-Channel-Token": channel_token(world.settings.channel_token_secrets[0], live["id"]),
        "X-Goog-Resource-ID": live["resource_id"],
        "X-Goog-Resource-State": "exists",
    }
    url = f"http://127.0.0.1:{port}/functions/v1/google-calendar-webhook"
    return httpx.post(url, headers=headers, timeout=30, verify=TLS).status_code


def test_what_is_due_is_synced_by_a_web_process_that_nobody_asks(world: World, alice: Person) -> None:
    world.make_due(alice)
    with gunicorn(world, free_port(), SWEEP_SECONDS="1"):
        world.await_equal(alice)
        world.google.insert_event(alice.email, world.event("Later", hours=5))
        world.make_due(alice)
        world.await_equal(alice)


def test_a_process_that_stops_in_the_pause_after_a_notification_leaves_it_to_the_next(
    world: World, alice: Person
) -> None:
    world.db.execute("update calendar_webhooks set not_before = now() + interval '1 minute'")
    port = free_port()
    with gunicorn(world, port, SWEEP_SECONDS="600") as process:
        assert announce(world, port) == 204
        process.terminate()
        assert process.wait() == 0
    assert "New" not in world.live_titles(alice)
    # The pause is over, and no other look is due yet.
    world.db.execute(
        "update calendar_webhooks set not_before = not_before - interval '1 minute',"
        " due_at = due_at - interval '1 minute'"
    )
    with gunicorn(world, free_port(), SWEEP_SECONDS="1"):
        world.await_equal(alice)


def end_lease(world: World) -> float:
    """Now, instead of waiting for it, with what is due at its end; how many seconds it would have lasted."""
    (row,) = world.rows(
        "select extract(epoch from lease_expires_at - clock_timestamp()) as left from calendar_webhooks"
    )
    world.db.execute(
        "update calendar_webhooks set lease_expires_at = now(),"
        " due_at = case when due_at <= lease_expires_at then now() else due_at end"
    )
    return float(row["left"] or 0)


@pytest.mark.parametrize("kind", ["http_500", "drop_before", "drop_after"])
def test_claims_that_the_store_refuses_are_made_again(world: World, alice: Person, kind: str) -> None:
    port = free_port()
    with gunicorn(world, port, SWEEP_SECONDS="1"):
        world.supabase.fault("claim_due_calendars", kind, times=9)  # type: ignore[arg-type]
        assert announce(world, port) == 204
        wait_until(lambda: not world.supabase.switchboard.pending(), "the store is well")
        if kind == "drop_after":
            end_lease(world)  # the calendar is leased to whoever never heard of it
        world.await_equal(alice)


def test_a_store_that_freezes_and_thaws_finds_the_calendar_due(world: World, alice: Person) -> None:
    port = free_port()
    with gunicorn(world, port, SWEEP_SECONDS="1"):
        world.supabase.fault("claim_due_calendars", "hold", times=3)
        assert announce(world, port) == 204
        world.supabase.await_held()
        world.supabase.clear_faults()
        world.await_equal(alice)


def test_watches_are_renewed_without_a_worker_or_a_cron(world: World, alice: Person) -> None:
    """The web does a worker's duties; this driver comes to one of them within a second."""
    names = [[duty.name for duty in duties(world.services, lambda: False, at_start=start)] for start in (True, False)]
    assert names[0] == names[1]
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    driver = Driver(world.services)
    driver.start([Duty("renew_watches", 1, lambda: renew_watches(world.services, budget_seconds=30))])
    wait_until(
        lambda: sorted(channel["state"] for channel in world.google.channels()) == ["live", "stopped"], "a renewal"
    )
    driver.shut_down()


def kill_holding(world: World, process: Process, alice: Person) -> None:
    """Kills the process while it lists."""
    hold = world.google.add_fault("hold", method="events.list", times=1)
    world.make_due(alice)
    assert world.google.wait_held(hold)
    process.kill()
    world.google.clear_faults()


def test_a_killed_process_costs_its_lease(world: World, alice: Person) -> None:
    """Seconds, and nothing that is due later than its end."""
    with gunicorn(world, free_port(), SWEEP_SECONDS="1") as process:
        kill_holding(world, process, alice)
    assert 0 < end_lease(world) <= LEASE_SECONDS
    with gunicorn(world, free_port(), SWEEP_SECONDS="1"):
        world.await_equal(alice)


def test_a_long_sync_keeps_its_lease_by_the_heartbeat_alone(world: World, alice: Person) -> None:
    """One page that takes longer than a lease: nobody else lists meanwhile."""
    hold = world.google.add_fault("hold", method="events.list", times=1)
    with gunicorn(world, free_port(), SWEEP_SECONDS="1"), gunicorn(world, free_port(), SWEEP_SECONDS="1"):
        # Due once both are up: nobody waits for Google much longer than these beats take.
        world.make_due(alice)
        assert world.google.wait_held(hold)
        first = world.calendar(alice)
        wait_until(
            lambda: (world.calendar(alice)["lease_expires_at"] - first["lease_expires_at"]).total_seconds() > 12,
            "several beats",
        )
        assert world.calendar(alice)["fence"] == first["fence"]
        world.google.release(hold)
        world.await_equal(alice)
    assert world.google.counters()["max_concurrent_lists"] == {alice.email: 1}


def test_a_calendar_that_kills_its_process_is_counted_waits_alone_and_stops_nobody(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop")
    world.stop_service()
    at_once = "update calendar_webhooks set lease_expires_at = null where user_id = %s"
    for _ in range(3):
        with worker(world, SWEEP_SECONDS="1") as process:
            world.db.execute(at_once, (alice.user_id,))
            kill_holding(world, process, alice)
    assert world.calendar(alice)["claims_unended"] == 3
    with worker(world, SWEEP_SECONDS="1") as process:
        world.db.execute(at_once, (alice.user_id,))
        kill_holding(world, process, alice)
    (row,) = world.rows("select state, reason from calendar_status where user_id = %s", alice.user_id)
    assert (row["state"], row["reason"]) == ("poisoned", "claims_unended")

    with gunicorn(world, free_port(), SWEEP_SECONDS="1"):
        world.google.insert_event(bob.email, world.event("Bob's"))
        world.make_due(bob)
        world.await_equal(bob)
        assert world.calendar(alice)["claims_unended"] == 4
        # Its pause is over, and so is what killed its processes.
        world.make_due(alice)
        world.await_equal(alice)
    assert world.calendar(alice)["claims_unended"] == 0
    (row,) = world.rows("select state from calendar_status where user_id = %s", alice.user_id)
    assert row["state"] != "poisoned"
