"""What the driver claims in a process that ends is another's at once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sync.clients.store.rpc import ATTEMPTS
from sync.jobs.accounts.connect_calendar import connect_calendars
from sync.jobs.driving.driver import Driver
from sync.jobs.driving.duties import Duty
from sync.jobs.driving.lanes import MOST_FIRST
from tests.world import Person, World, wait_until


def test_a_claim_that_no_thread_takes_up_any_more_is_given_back(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    world.make_due(alice)
    world.reset_counters()
    driver = Driver(world.services)
    # As the interpreter does when it ends, whoever was told of it.
    driver._pool.shutdown()

    driver.start()

    wait_until(lambda: world.rpcs().get("release_calendar"), "the claim is given back")
    wait_until(lambda: world.calendar(alice)["lease_expires_at"] is None, "nobody holds it")
    driver.shut_down()
    assert world.calendar(alice)["claims_unended"] == 0


@pytest.mark.parametrize("claim_seconds", [0.0, 1.0], ids=["claims are quick", "places are left while it claims"])
def test_a_crowd_of_first_syncs_does_not_wait_for_the_next_sweep(world: World, claim_seconds: float) -> None:
    """They have few places: whoever leaves one is followed at once."""
    world.stop_service()
    services = world.services_with(SWEEP_SECONDS="600", SYNC_THREADS="32")
    for _ in range(MOST_FIRST + 2):
        person = world.person()
        connect_calendars(services, person.user_id, person.refresh_token, [])
    # So that all places are taken while the driver looks again.
    world.google.add_fault("slow", method="events.list", seconds=0.3)
    world.supabase.fault("claim_due_calendars", "delay", seconds=claim_seconds, times=100)
    driver = Driver(services)
    driver.start()
    try:
        waiting = "select 1 from calendar_webhooks where last_synced_at is null"
        wait_until(lambda: world.db.execute(waiting).fetchone() is None, "all are synced")
    finally:
        driver.shut_down()


def test_a_driver_that_has_nothing_to_do_ends_at_once(world: World) -> None:
    """And does not wait for what may come in the minute that it is given."""
    driver = Driver(world.services_with(SWEEP_SECONDS="600"))
    driver.start([Duty("nothing", 3600, lambda: None)])
    wait_until(lambda: world.rpcs().get("claim_due_calendars"), "its first look")
    wait_until(lambda: world.rpcs().get("claim_event_deliveries"), "its courier's")
    began = time.monotonic()
    driver.stop_soon()
    driver.shut_down(60)
    assert time.monotonic() - began < 20


@pytest.fixture
def asked(world: World) -> Iterator[tuple[Driver, Person]]:
    """A driver that follows hints alone, and whose calendar they name."""
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    driver = Driver(world.services)
    yield driver, alice
    driver.shut_down()


def test_a_hint_is_followed_at_once_while_the_driver_waits(world: World, asked: tuple[Driver, Person]) -> None:
    """Sooner than it looks up by itself, which is within a second. The machine may be too slow for that at times."""
    driver, alice = asked
    world.make_due(alice)
    driver.sync_soon(world.calendar(alice)["id"])

    def is_woken() -> bool:
        wait_until(lambda: not driver._lanes.busy and driver._wakes_at > time.monotonic() + 0.8, "it has begun to wait")
        world.make_due(alice)
        world.reset_counters()
        calendar_id, looks_up_at = world.calendar(alice)["id"], driver._wakes_at
        driver.sync_soon(calendar_id)
        wait_until(lambda: world.rpcs().get("claim_due_calendars"), "it is followed")
        is_early = time.monotonic() < looks_up_at
        wait_until(lambda: world.rpcs().get("commit_sync"), "it is synced")
        return is_early

    assert any(is_woken() for _ in range(5))


def test_a_later_hint_does_not_put_off_an_earlier_one(world: World, asked: tuple[Driver, Person]) -> None:
    driver, alice = asked
    world.make_due(alice)
    world.reset_counters()
    for seconds in (0.2, 600.0):
        driver.sync_soon(world.calendar(alice)["id"], seconds)
    wait_until(lambda: world.rpcs().get("commit_sync"), "it is synced at the earlier time")


@pytest.mark.parametrize("trouble", ["the store refuses the claim", "another process holds the calendar"])
def test_a_hint_that_comes_to_nothing_is_followed_again(
    world: World, asked: tuple[Driver, Person], trouble: str
) -> None:
    driver, alice = asked
    world.make_due(alice)
    world.reset_counters()
    held = "update calendar_webhooks set lease_expires_at = now() + %s::interval"
    if trouble == "the store refuses the claim":
        world.supabase.fault("claim_due_calendars", "http_500", times=ATTEMPTS)
    else:
        world.db.execute(held, ("1 minute",))
    driver.sync_soon(world.calendar(alice)["id"])
    wait_until(lambda: world.rpcs().get("claim_due_calendars", 0) > 1, "it is asked for again")
    world.db.execute("update calendar_webhooks set lease_expires_at = null")
    wait_until(lambda: world.rpcs().get("commit_sync"), "it is claimed again and synced")
