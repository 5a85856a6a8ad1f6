"""Rollers, syncs and notifications at the same time: one lease per calendar, nothing lost, nobody kept waiting."""

from __future__ import annotations

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from sync.jobs.leases import LEASE_SECONDS
from sync.jobs.syncing.roll_horizon import Roll, roll_horizons
from tests.flows.processes import worker
from tests.situations.quiet import NOW, Quiet, beside, shifted, timed, written
from tests.world import World, wait_until


@pytest.fixture
def lagging(quiet: Quiet) -> Quiet:
    """A daily series whose horizon lags by three days."""
    quiet.insert(timed("Daily", "2028-02-11T17:00", "RRULE:FREQ=DAILY"))
    quiet.sync()
    quiet.world.travel_to(NOW + dt.timedelta(days=3))
    return quiet


def roll(quiet: Quiet) -> Roll:
    return roll_horizons(quiet.world.services, budget_seconds=30)


def await_held(world: World) -> None:
    pending = world.supabase.switchboard.pending
    wait_until(lambda: any(each["kind"] == "hold" and each["holding"] for each in pending()), "a store call is held")


def lapse_lease(quiet: Quiet) -> None:
    quiet.world.db.execute("update calendar_webhooks set lease_expires_at = now() - interval '1 second'")


def test_two_rollers_and_a_sync_at_once_do_not_collide(lagging: Quiet) -> None:
    lagging.insert(timed("New", "2028-02-20T09:00"))
    with ThreadPoolExecutor(3) as pool:
        rolls = [pool.submit(roll, lagging) for _ in range(2)]
        synced = pool.submit(lagging.sync)
        rolled = [done.result() for done in rolls]

    assert written(synced.result())[0] >= 1
    assert sum(each.rolled for each in rolled) <= 1
    assert sum(each.failed for each in rolled) == 0
    roll(lagging)
    lagging.assert_equal()


def test_a_calendar_in_a_sync_is_left_to_it_and_rolled_next_time(lagging: Quiet) -> None:
    services = lagging.world.services
    calendar_id = str(lagging.world.calendar(lagging.alice)["id"])
    (claim,) = services.store.claims.claim_due(
        "other",
        str(uuid.uuid4()),
        limit=1,
        lease_seconds=LEASE_SECONDS,
        calendar_ids=[calendar_id],
        even_if_not_due=True,
    )

    assert roll(lagging) == Roll()

    assert services.store.claims.release(claim)
    assert roll(lagging) == Roll(rolled=1, entered=3)


def test_a_notification_during_a_roll_is_synced_at_once_after_it(lagging: Quiet) -> None:
    world = lagging.world
    channel = world.rows("select id, resource_id from calendar_channels where state = 'live'")[0]
    world.supabase.fault("commit_roll", "hold")
    with beside(lagging.world, lambda: roll(lagging)) as rolling:
        await_held(world)
        lagging.insert(timed("Announced", "2028-02-20T09:00"))
        notified = world.services.store.claims.record_notification(channel["id"], channel["resource_id"], "exists", 2)
        assert (notified.outcome, notified.due_in_seconds > 5) == ("due", True)
        world.supabase.clear_faults()
        rolling.result()

    assert "Announced" in world.live_titles(lagging.alice)
    assert world.logs(lagging.alice)[-1]["sync_type"] == "webhook"
    lagging.assert_equal()


def test_a_failing_roll_gives_the_calendar_back_at_once(lagging: Quiet) -> None:
    """A roll that can not be done must not keep syncs waiting for its lease, every time it is tried."""
    lagging.world.db.execute('update calendar_events set details = \'{"no": "id"}\'')
    before = lagging.world.calendar(lagging.alice)

    assert roll(lagging) == Roll(failed=1)

    after = lagging.world.calendar(lagging.alice)
    assert after["lease_expires_at"] is None
    assert (after["due_at"], after["next_entry_at"]) == (before["due_at"], before["next_entry_at"])
    lagging.resync()
    assert roll(lagging) == Roll()
    lagging.assert_equal()


def test_a_roller_that_is_to_stop_gives_back_what_it_has_not_begun(world: World, lagging: Quiet) -> None:
    calls = iter([False, True])
    rolled = roll_horizons(world.services, budget_seconds=30, should_stop=lambda: next(calls, True))

    assert (rolled.rolled, rolled.failed) == (0, 0)
    assert world.calendar(lagging.alice)["lease_expires_at"] is None
    assert roll(lagging).rolled == 1


@pytest.mark.parametrize("kinds", [["hold"], ["drop_after", "hold"]])
def test_a_killed_rollers_lease_lapses_and_due_polls_are_as_due_as_before(world: World, kinds: list[str]) -> None:
    """Before its write arrives, or after it: nothing lost, nothing twice."""
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Daily", hours=30, recurrence=["RRULE:FREQ=DAILY"]))
    world.connect(alice)
    world.google.configure(push="drop")
    world.db.execute("update calendar_events set enters_at = enters_at - interval '2 days'")
    world.db.execute("update calendar_webhooks set next_entry_at = next_entry_at - interval '2 days'")
    world.db.execute("delete from meetings where start_time > now() + interval '58 days'")
    due_at = world.calendar(alice)["due_at"]
    for kind in kinds:
        world.supabase.fault("commit_roll", kind)  # type: ignore[arg-type]
    with worker(world) as process:
        await_held(world)
        process.kill()

    calendar = world.calendar(alice)
    written_already = len(kinds) == 2
    assert (calendar["due_at"], calendar["lease_expires_at"] is None) == (due_at, written_already)
    world.make_due()
    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]
    assert roll_horizons(world.services, budget_seconds=30).rolled == (0 if written_already else 1)
    world.supabase.clear_faults()
    wait_until(lambda: not world.supabase.switchboard.pending(), "the ghost's call is through")
    world.assert_equal(alice)


def test_a_roller_whose_lease_lapsed_writes_nothing_over_a_later_sync(lagging: Quiet) -> None:
    world = lagging.world
    world.supabase.fault("commit_roll", "hold")
    with beside(lagging.world, lambda: roll(lagging)) as rolling:
        await_held(world)
        lapse_lease(lagging)
        (series,) = lagging.insert(timed("Other", "2028-02-11T08:00", "RRULE:FREQ=DAILY"))
        lagging.delete(next(iter(lagging.live())).partition("_")[0])
        lagging.sync()
        world.supabase.clear_faults()
        assert rolling.result().failed == 1

    assert {row["title"] for row in lagging.live().values() if row["start_time"] > world.now} == {"Other"}
    roll(lagging)
    lagging.assert_equal()
    assert series


@pytest.mark.parametrize("days_behind", [1, 20])
def test_a_process_whose_horizon_ends_earlier_opens_no_gap(quiet: Quiet, days_behind: int) -> None:
    """One replica's clock is ahead (or its horizon is longer): what another one leaves out behind its own horizon is
    entered when the horizon comes to it."""
    world = quiet.world
    (series,) = quiet.insert(timed("Daily", "2028-02-11T17:00", "RRULE:FREQ=DAILY"))
    (single,) = quiet.insert(timed("One", "2028-02-11T09:00"))
    world.travel_to(NOW + dt.timedelta(days=days_behind))
    quiet.resync()
    assert roll(quiet) == Roll()

    world.travel_to(NOW)
    quiet.patch(series, summary="Touched")
    quiet.patch(single, **shifted(world.google.get_event(quiet.email, single), days=60, hours=3))
    quiet.sync()
    world.travel_to(NOW + dt.timedelta(days=days_behind))
    roll(quiet)

    quiet.assert_equal()
