"""What the driver claims in a process that ends is another's at once."""

from __future__ import annotations

from sync.jobs.driving.driver import Driver
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
