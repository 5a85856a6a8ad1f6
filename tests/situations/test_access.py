"""Situations 23 and 24 (access): lost calendars are told and not wiped; a dead grant asks once and catches up later."""

from __future__ import annotations

import pytest

from tests.world import Person, World


@pytest.fixture
def alice(world: World) -> Person:
    """A synced calendar with one meeting; a second one is new and unannounced; the calendar is due."""
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Kept"), notify=False)
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("New", hours=4))
    world.make_due()
    world.reset_counters()
    return alice


LOST = {"lost_access_404": "notFound", "lost_access_403": "forbidden", "lost_access_401": "unauthorized"}


@pytest.mark.parametrize("kind", LOST)
def test_situation_23_lost_access_wipes_nothing_is_told_and_tried_ever_more_rarely(
    world: World, alice: Person, kind: str
) -> None:
    world.google.add_fault(kind, method="events")
    waits = []
    for _ in range(4):
        assert [outcome.error_code for outcome in world.sweep().outcomes] == [LOST[kind]]
        calendar = world.calendar(alice)
        waits.append((calendar["due_at"] - calendar["last_error_at"]).total_seconds())
        # Nothing between two tries.
        assert world.sweep().outcomes == ()
        world.make_due()

    assert world.live_titles(alice) == ["Kept"]
    assert waits == sorted(waits)
    assert waits[0] > 5 * 60
    assert (calendar["last_error_code"], calendar["consecutive_failures"]) == (LOST[kind], 4)
    assert world.logs(alice)[-1]["error_code"] == LOST[kind]
    world.google.clear_faults()
    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]
    world.assert_equal(alice)


def end_access(world: World, alice: Person, how: str) -> None:
    if how == "invalid_grant":
        world.google.revoke(alice.email)
    else:
        world.google.add_fault("insufficient_permissions", account=alice.email)


@pytest.mark.parametrize("how", ["invalid_grant", "scope unticked"])
def test_situation_24_a_dead_grant_stops_everything_asks_once_and_resumes_with_all_that_happened(
    world: World, alice: Person, how: str
) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    end_access(world, alice, how)
    process = world.services_with()

    for _ in range(2):
        world.sweep(process)
        world.let_suspicions_age()
        world.make_due()

    credentials = world.rows("select * from google_credentials")[0]
    assert credentials["status"] == "needs_reauth"
    world.reset_counters()
    world.make_due()
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour', watch_retry_at = null")
    for _ in range(3):
        assert world.sweep(process).outcomes == ()
        assert world.renew(process).outcomes == ()
    assert world.poll(alice)["reason"] == "needs_reauth"
    assert world.google.counters()["calls"] == {}
    # Asked once: what the user is told has not changed since.
    assert world.rows("select * from google_credentials")[0] == credentials
    assert world.live_titles(alice) == ["Kept"]

    world.google.insert_event(alice.email, world.event("While away", hours=6))
    world.google.clear_faults()
    world.google.configure(push="deliver")
    alice.refresh_token = world.google.grant(alice.email)
    world.connect(alice)
    world.await_equal(alice)
    assert {"Kept", "New", "While away"} <= set(world.live_titles(alice))
    assert world.rows("select status from google_credentials")[0]["status"] == "connected"
    world.google.insert_event(alice.email, world.event("Pushed again", hours=8))
    world.await_equal(alice)
    assert world.logs(alice)[-1]["sync_type"] == "webhook"
