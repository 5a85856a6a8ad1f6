"""A cron that nobody relieves, on a host that scales to zero between its calls: the bound of each calendar holds."""

from __future__ import annotations

import pytest

from sync.jobs.syncing.sync_calendar import sync_claim
from tests.world import JsonObject, Person, World

BETWEEN = "update service_jobs set taken_at = taken_at - interval '6 hours'"


@pytest.fixture
def alice(world: World) -> Person:
    """Synced, and announced once."""
    alice = world.person()
    world.connect(alice)
    world.google.insert_event(alice.email, world.event("Announced"))
    world.await_equal(alice)
    world.google.configure(push="drop")
    return alice


def cron(world: World) -> JsonObject:
    answer = world.post("/functions/v1/calendar-polling-cron")
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


def test_what_falls_due_before_the_next_run_is_polled_in_this_one(world: World, alice: Person) -> None:
    world.google.insert_event(alice.email, world.event("Unannounced", hours=3))
    assert cron(world)["results"] == []
    world.db.execute(BETWEEN)
    # Due in three hours, and the last notification vouches until then.
    world.db.execute(
        "update calendar_webhooks set due_at = now() + interval '3 hours',"
        " last_webhook_received = now() - interval '3 hours', not_before = null"
    )

    answer = cron(world)

    assert [(each["status"], each["created"]) for each in answer["results"]] == [("completed", 1)]
    world.assert_equal(alice)


def test_where_processes_drive_the_cron_looks_at_what_is_due_alone(world: World, alice: Person) -> None:
    assert cron(world)["results"] == []
    world.db.execute(BETWEEN)
    world.db.execute("update calendar_webhooks set due_at = now() + interval '3 hours'")
    assert world.services.store.claims.take_job("drive", 0.0, "worker")

    assert cron(world)["results"] == []


def test_without_a_live_channel_no_notification_vouches(world: World, alice: Person) -> None:
    world.google.insert_event(alice.email, world.event("Unannounced", hours=3))
    world.db.execute("update calendar_channels set expires_at = now() - interval '1 minute'")
    world.make_due(alice)

    assert [each["created"] for each in cron(world)["results"]] == [1]


def test_a_part_that_fails_is_told(world: World, alice: Person) -> None:
    world.supabase.fault("claim_rolling_calendars", "http_500", times=9)

    answer = cron(world)

    assert (answer["success"], answer["total_failed"]) == (False, 0)
    assert "Cut short" in answer["message"]


def test_a_cron_alone_takes_up_what_nobody_brought_to_an_end(world: World, alice: Person) -> None:
    """A host that freezes its processes after the answer leaves claims that were never ended."""
    world.google.insert_event(alice.email, world.event("Unannounced", hours=3))
    world.forget_notifications(alice)
    world.db.execute("update calendar_webhooks set claims_unended = 3")
    world.make_due(alice)

    assert [each["created"] for each in cron(world)["results"]] == [1]
    assert world.calendar(alice)["claims_unended"] == 0


def test_a_lease_that_could_not_be_kept_is_given_back_and_blames_nobody(world: World, alice: Person) -> None:
    world.google.insert_event(alice.email, world.event("Unannounced", hours=3))
    world.forget_notifications(alice)
    world.make_due(alice)
    (claim,) = world.services.leases.claim(1)
    world.services.leases.drop(claim)  # as after heartbeats that did not get through

    world.google.configure(page_size_limit=1)
    world.google.insert_event(alice.email, world.event("Another", hours=4))
    assert sync_claim(world.services, claim).status == "lost"

    row = world.calendar(alice)
    assert (row["lease_expires_at"], row["claims_unended"]) == (None, 0)
    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]
    world.assert_equal(alice)
