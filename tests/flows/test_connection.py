"""A grant that is dead or lacks a scope: paused once, told once, no more calls; reconnecting resumes and catches up."""

from __future__ import annotations

import pytest

from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import sync_claim
from tests.world import Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    """Two synced calendars; changes in both that nobody announced; every access token is used up."""
    alice = world.person()
    world.google.add_calendar(alice.email, "team@example.com")
    world.connect(alice, ["primary", "team@example.com"])
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("New"))
    world.google.insert_event("team@example.com", world.event("New in team"))
    world.google.advance(3700)
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    world.make_due(alice)
    world.reset_counters()
    return alice


def credentials(world: World, person: Person) -> tuple[str, str | None]:
    row = world.rows("select * from google_credentials where user_id = %s", person.user_id)[0]
    return row["status"], row["status_reason"]


def lose(world: World, process: Services) -> None:
    """Sweeps until the grant counts as lost: what Google refuses must be refused twice."""
    for _ in range(2):
        world.make_due()
        world.sweep(process)
        world.let_suspicions_age()


DEAD = ["invalid_grant", "invalid_rapt", "admin_policy_enforced"]


@pytest.mark.parametrize("reason", DEAD)
def test_a_dead_grant_pauses_all_calendars_once_and_calls_stop(world: World, alice: Person, reason: str) -> None:
    world.google.revoke(alice.email, reason)
    process = world.services_with(SYNC_THREADS="1")

    lose(world, process)

    assert credentials(world, alice) == ("needs_reauth", reason)
    assert {row["paused_reason"] for row in world.rows("select paused_reason from calendar_webhooks")} == {
        "needs_reauth"
    }
    world.reset_counters()
    world.make_due(alice)
    world.db.execute("update calendar_webhooks set expiration_time = now()")
    assert world.sweep(process).outcomes == ()
    assert world.renew(process).outcomes == ()
    assert world.poll(alice)["reason"] == "needs_reauth"
    assert world.google.counters()["calls"] == {}


def test_a_missing_scope_pauses_as_a_dead_grant_does(world: World, alice: Person) -> None:
    world.google.add_fault("insufficient_permissions", method="events")

    world.sweep()

    assert credentials(world, alice) == ("needs_reauth", "scope_missing")


def test_reconnecting_resumes_all_calendars_and_catches_up(world: World, alice: Person) -> None:
    world.google.revoke(alice.email)
    lose(world, world.services_with())
    world.google.insert_event("team@example.com", world.event("While away", hours=5))

    alice.refresh_token = world.google.grant(alice.email)
    world.connect(alice)

    wait_until(lambda: world.sweep() and not world.differences(alice, "team@example.com"), "the team's calendar")
    world.await_equal(alice)
    assert credentials(world, alice) == ("connected", None)
    assert "While away" in world.live_titles(alice)


def test_reconnecting_opens_the_watches_that_lapsed_meanwhile(world: World, alice: Person) -> None:
    world.google.revoke(alice.email)
    lose(world, world.services_with())
    lapse(world)

    alice.refresh_token = world.google.grant(alice.email)
    world.connect(alice)
    world.renew()

    assert [channel["state"] for channel in world.google.channels()].count("live") == 2
    world.google.configure(push="deliver")
    world.google.insert_event(alice.email, world.event("Pushed again", hours=6))
    world.await_equal(alice)


def test_what_happened_without_a_channel_is_found_though_a_notification_was_recent(world: World) -> None:
    """A recent notification vouches for a calendar, but not for a time in which nobody was listening."""
    alice = world.person()
    world.connect(alice)
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])
    world.google.revoke(alice.email)
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    world.db.execute("update calendar_webhooks set last_synced_at = null")  # so that nothing vouches for these tries
    lose(world, world.services_with())
    world.db.execute("update calendar_webhooks set last_synced_at = now()")
    lapse(world)
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("Unheard", hours=5))

    alice.refresh_token = world.google.grant(alice.email)
    world.connect(alice)

    world.await_equal(alice)


def lapse(world: World) -> None:
    """Every channel ends, as it does when nobody renews it."""
    world.google.advance(8 * 86400)
    world.db.execute("update calendar_channels set expires_at = now()")
    world.db.execute("update calendar_webhooks set expiration_time = now()")


def test_a_dead_grant_found_while_renewing_pauses_too(world: World, alice: Person) -> None:
    world.google.revoke(alice.email)
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")

    world.renew(world.services_with())
    assert credentials(world, alice) == ("connected", None)
    world.let_suspicions_age()
    world.db.execute("update calendar_webhooks set watch_retry_at = null")
    world.renew(world.services_with())

    assert credentials(world, alice) == ("needs_reauth", "invalid_grant")


def test_a_reconnection_wins_over_a_failure_of_the_old_grant(world: World, alice: Person) -> None:
    """The old grant is refused while the user reconnects: the calendar neither pauses nor waits for a day."""
    world.google.revoke(alice.email)
    world.db.execute("update calendar_webhooks set paused_reason = 'user_gone' where google_calendar_id <> 'primary'")
    late = world.services_with()
    claim = late.leases.claim(1)[0]
    hold = world.google.add_fault("hold", method="token", times=1)
    with world.in_background(lambda: sync_claim(late, claim)):
        assert world.google.wait_held(hold)
        alice.refresh_token = world.google.grant(alice.email)
        world.connect(alice, synced=False)
        # Its driver would sync the calendar as soon as the claim is ended.
        world.stop_service()
        world.google.release(hold)

    assert world.logs(alice)[-1]["error_code"] == "invalid_grant"
    assert credentials(world, alice) == ("connected", None)
    calendar = world.calendar(alice)
    assert (calendar["due_at"] - calendar["updated_at"]).total_seconds() < 10
    world.make_due(alice)
    world.sweep(world.services_with())
    world.assert_equal(alice)


def test_connecting_with_a_dead_grant_stores_nothing(world: World) -> None:
    bob = world.person("bob")
    world.google.revoke(bob.email)

    answer = world.post(
        "/functions/v1/connect-calendar", {"userId": bob.user_id, "provider_refresh_token": bob.refresh_token}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "grant_refused")
    assert world.rows("select 1 from google_credentials") == []
    assert world.rows("select 1 from calendar_webhooks") == []


def test_one_passing_401_while_connecting_is_overcome(world: World) -> None:
    bob = world.person("bob")
    world.google.add_fault("lost_access_401", method="calendarList", times=1)

    world.connect(bob, [bob.email])

    assert world.rows("select google_account from google_credentials") == [{"google_account": bob.email}]
    assert [row["google_calendar_id"] for row in world.rows("select * from calendar_webhooks")] == ["primary"]
