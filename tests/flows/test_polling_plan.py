"""The plan at work: what is learnt of push and of change decides when a calendar is looked at, within a budget."""

from __future__ import annotations

import datetime as dt

import pytest

from sync.core.polling.price import LEAST_PRICE_SECONDS, googles_day
from sync.jobs.operations.follow_budget import follow_polling_budget
from tests.world import JsonObject, Person, World

# Nobody has looked for eight hours, and the channel was open all the time.
FAR = (
    "update calendar_webhooks set last_synced_at = last_synced_at - interval '8 hours';"
    "update calendar_channels set opened_at = opened_at - interval '9 hours'"
)


@pytest.fixture
def alice(world: World) -> Person:
    world.db.execute("truncate polling_plan, google_requests")
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    return alice


def look(world: World, alice: Person) -> JsonObject:
    world.db.execute(FAR)
    world.forget_notifications(alice)
    world.make_due(alice)
    assert len(world.sweep().outcomes) == 1
    return world.calendar(alice)


def test_a_calendar_that_changes_often_and_unannounced_is_looked_at_more_often(world: World, alice: Person) -> None:
    quiet = look(world, alice)
    for number in range(3):
        world.google.insert_event(alice.email, world.event(f"Change {number}", hours=number + 3))
        busy = look(world, alice)

    assert busy["poll_interval_seconds"] < 0.8 * quiet["poll_interval_seconds"]
    assert busy["belief_changes"] > 1.0
    assert busy["stale_bound_seconds"] < quiet["stale_bound_seconds"]


def test_a_push_proves_that_the_channel_lives(world: World, alice: Person) -> None:
    before = look(world, alice)
    assert before["belief_unproven_days"] > 0.3

    world.google.configure(push="deliver")
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)
    world.await_synced(before["id"])

    after = world.calendar(alice)
    assert (after["belief_doubt"], after["belief_unproven_days"]) == (0.0, 0.0)
    assert after["belief_announced"] > 0.9
    # By little more than one change in eight hours, a silence of nearly six hours begins to be odd.
    vouched = dt.timedelta(hours=0.95 * world.settings.poll_stale_hours)
    assert after["due_at"] - after["last_synced_at"] >= vouched


def test_what_is_spent_moves_the_price_and_the_price_moves_the_looks(world: World, alice: Person) -> None:
    services = world.services
    cheap = look(world, alice)
    follow_polling_budget(services)
    day = googles_day(services.clock()).date
    (spent,) = world.rows("select * from google_requests where day = %s", day)
    assert spent["polls"] >= 1

    for _ in range(12):
        world.db.execute(
            "update polling_plan set polls_counted = polls_counted + 40000000,"
            " priced_at = priced_at - interval '6 hours'"
        )
        follow_polling_budget(services)
    services.polling.refresh()
    dear = look(world, alice)

    (plan,) = world.rows("select * from polling_plan")
    assert plan["price_seconds"] > 20 * LEAST_PRICE_SECONDS
    assert dear["poll_interval_seconds"] > cheap["poll_interval_seconds"]


def test_calendars_are_counted_for_those_of_which_nothing_is_known(world: World, alice: Person) -> None:
    world.db.execute(
        "update calendar_webhooks set belief_changes = 60, belief_change_days = 3,"
        " belief_announced = 30, belief_missed = 10"
    )
    follow_polling_budget(world.services)
    world.services.polling.refresh()

    (plan,) = world.rows("select * from polling_plan")
    assert (plan["rated"], plan["rates"], plan["good"], plan["poor"]) == (1, 20.0, 0, 1)
    assert world.services.polling.now().pool.rate > 2.0


def test_a_process_that_cannot_reach_the_store_keeps_what_it_counted_and_plans_on(world: World, alice: Person) -> None:
    look(world, alice)
    world.supabase.fault("report_polling", "http_500", times=20)
    with pytest.raises(Exception, match="report_polling"):
        world.services.polling.refresh()
    world.supabase.clear_faults()

    world.services.polling.refresh()

    (spent,) = world.rows("select sum(polls) as polls from google_requests")
    assert spent["polls"] >= 1


def missed(world: World, alice: Person, title: str, minutes: float) -> JsonObject:
    """So many minutes later a poll finds a change that nobody announced, where death was possible."""
    world.db.execute("update calendar_webhooks set belief_announced = 60, belief_doubt = 0.05")
    world.google.insert_event(alice.email, world.event(title))
    world.travel_to(world.now + dt.timedelta(minutes=minutes))
    world.forget_notifications(alice)
    world.make_due(alice)
    assert len(world.sweep().outcomes) == 1
    found = world.calendar(alice)
    world.renew()
    # What changes from here on the channel that is open now should announce.
    world.make_due(alice)
    world.sweep()
    return found


def test_channels_that_do_not_help_are_opened_with_pauses_until_a_push_comes(world: World, alice: Person) -> None:
    world.travel_to(world.now + dt.timedelta(minutes=1))
    world.reset_counters()
    assert missed(world, alice, "First", 10)["reopened_in_vain"] == 1
    assert world.google_calls("events.watch") == 1
    # Another is opened only an hour after the last.
    assert missed(world, alice, "Second", 10)["reopened_in_vain"] == 1
    assert world.google_calls("events.watch") == 1
    failing = missed(world, alice, "Third", 60)
    assert (failing["reopened_in_vain"], failing["webhook_failures"], failing["push_state"]) == (2, 3, "failing")
    assert world.google_calls("events.watch") == 2

    # It changes every other day, so that its silence will not be odd for long.
    world.db.execute("update calendar_webhooks set belief_changes = 5, belief_change_days = 10")
    world.google.configure(push="deliver")
    world.google.insert_event(alice.email, world.event("Announced"))
    world.await_equal(alice)
    world.await_synced(failing["id"])

    well = world.calendar(alice)
    assert (well["reopened_in_vain"], well["webhook_failures"], well["push_state"]) == (0, 0, "healthy")
    # Push alone again: no poll while that notification vouches.
    assert well["due_at"] - well["last_webhook_received"] >= dt.timedelta(hours=0.9 * world.settings.poll_stale_hours)
