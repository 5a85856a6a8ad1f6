"""A calendar that cannot be read makes no meetings; lost for days, those ahead end, and all comes back with access."""

from __future__ import annotations

import pytest

from sync.jobs.syncing.roll_horizon import roll_horizons
from tests.world import Person, World, wait_until

LOSSES = ["refused calendar", "dead grant"]


@pytest.fixture
def alice(world: World) -> Person:
    """A synced daily series without end."""
    alice = world.person()
    daily = world.event("Daily", hours=2, recurrence=["RRULE:FREQ=DAILY"])
    world.google.insert_event(alice.email, daily, notify=False)
    world.connect(alice)
    assert world.google.wait_push_idle()
    return alice


def lose(world: World, alice: Person, how: str) -> None:
    if how == "dead grant":
        world.google.revoke(alice.email)
        world.db.execute("update google_credentials set access_token_expires_at = now()")
    else:
        world.google.add_fault("lost_access_404", method="events")
    process = world.services_with()
    for _ in range(2):
        world.make_due()
        world.sweep(process)
        world.let_suspicions_age()
    row = world.calendar(alice)
    assert (row["paused_reason"] == "needs_reauth") if how == "dead grant" else row["access_lost_at"]


def days_pass(world: World, days: int) -> None:
    world.db.execute(
        "update calendar_webhooks set access_lost_at = access_lost_at - %s * interval '1 day',"
        " paused_at = paused_at - %s * interval '1 day'",
        (days, days),
    )


def ahead(world: World, alice: Person) -> set[tuple[str, str | None]]:
    return {(row["status"], row["status_reason"]) for row in world.meetings(alice) if row["start_time"] > world.now}


@pytest.mark.parametrize("how", LOSSES)
def test_nothing_rolls_while_access_is_lost(world: World, alice: Person, how: str) -> None:
    lose(world, alice, how)
    world.db.execute("update calendar_events set enters_at = now() + interval '50 days' where kind = 'series'")
    world.db.execute("update calendar_webhooks set next_entry_at = now() + interval '50 days'")
    world.db.execute("delete from meetings where start_time > now() + interval '50 days'")
    before = world.meetings(alice)

    roll_horizons(world.services, budget_seconds=30)

    assert world.meetings(alice) == before


@pytest.mark.parametrize("how", LOSSES)
def test_what_lies_ahead_of_a_calendar_lost_for_days_ends_and_comes_back_with_access(
    world: World, alice: Person, how: str
) -> None:
    lose(world, alice, how)
    days_pass(world, 6)
    world.renew()
    assert ahead(world, alice) == {("confirmed", None)}

    days_pass(world, 1)
    world.renew()

    assert ahead(world, alice) == {("cancelled", "calendar_lost")}
    assert world.rows("select state from calendar_channels where state = 'live'") == []
    world.reset_counters()
    assert world.renew().outcomes == ()
    assert world.google_calls("events.watch") == 0
    if how == "dead grant":
        alice.refresh_token = world.google.grant(alice.email)
        world.connect(alice)
    else:
        world.google.clear_faults()
        world.make_due()
        world.sweep()
        world.renew()
    world.await_equal(alice)
    assert any(log["is_full"] for log in world.logs(alice)[1:])
    world.google.insert_event(alice.email, world.event("Pushed", hours=5))
    wait_until(lambda: "Pushed" in world.live_titles(alice), "push speaks again")
