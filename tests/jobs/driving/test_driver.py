"""What the driver claims in a process that ends is another's at once."""

from __future__ import annotations

import pytest

from sync.jobs.accounts.connect_calendar import connect_calendars
from sync.jobs.driving.driver import Driver
from sync.jobs.driving.lanes import MOST_FIRST
from tests.world import World, wait_until


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
