"""Notifications late, lost, doubled, reordered, forged, from channels that should be dead, or before their time."""

from __future__ import annotations

import time

import httpx
import pytest

from sync.core.accounts.channel_token import channel_token
from sync.core.polling.plan import COALESCE_SECONDS
from tests.world import JsonObject, Person, World, wait_until

WEBHOOK = "/functions/v1/google-calendar-webhook"


@pytest.fixture
def alice(world: World) -> Person:
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()
    world.reset_counters()
    return alice


def channel(world: World) -> JsonObject:
    return world.rows("select * from calendar_channels where state = 'live'")[0]


def notify(world: World, **headers: str) -> int:
    """A notification of the live channel, with some headers of our own."""
    live = channel(world)
    channel_id = headers.get("X-Goog-Channel-ID", str(live["id"]))
    genuine = {
        "X-Goog-Channel-ID": channel_id,
        "X-Goog-Channel-Token": channel_token(world.settings.channel_token_secrets[0], channel_id),
        "X-Goog-Resource-ID": live["resource_id"],
        "X-Goog-Resource-State": "exists",
        "X-Goog-Message-Number": "10",
    }
    return httpx.post(world.service.url + WEBHOOK, headers={**genuine, **headers}, timeout=30).status_code


def seen(world: World, person: Person) -> int:
    return int(world.calendar(person)["notifications_seen"])


def test_a_change_during_a_sync_is_owed_one_more_sync_after_it(world: World, alice: Person) -> None:
    hold = world.google.add_fault("hold", method="events.list", times=1)
    world.google.insert_event(alice.email, world.event("First"))
    assert world.google.wait_held(hold)
    for number in range(5):
        world.google.insert_event(alice.email, world.event(f"Meanwhile {number}", hours=number + 3))
    assert world.google.wait_push_idle()
    world.google.release(hold)

    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])

    assert world.google_calls("events.list") == 2
    assert [log["sync_type"] for log in world.logs(alice)] == ["initial", "webhook", "webhook"]


@pytest.mark.parametrize("via", ["cron", "user"])
def test_a_notification_during_an_asked_for_poll_is_followed_up_at_once(world: World, alice: Person, via: str) -> None:
    """The poll runs in a request; what came meanwhile must not wait for the poll's lease to run out."""
    world.supabase.fault("commit_sync", "delay", seconds=0.4)
    world.make_due(alice)
    with world.in_background(
        lambda: world.post("/functions/v1/calendar-polling-cron") if via == "cron" else world.poll(alice)
    ):
        wait_until(lambda: world.rpcs().get("commit_sync"), "the poll is about to commit")
        world.google.insert_event(alice.email, world.event("Meanwhile"))

    world.await_equal(alice)


def test_a_failed_sync_is_tried_again_without_a_worker_or_a_cron(world: World, alice: Person) -> None:
    world.google.add_fault("page_token_rejected")
    world.google.add_fault("sync_token_expired", times=1)
    world.google.add_fault("gone", method="events.list", mode="full", times=1)

    world.google.insert_event(alice.email, world.event("First"))

    wait_until(lambda: world.logs(alice)[-1]["status"] == "failed", "the failure")
    world.await_equal(alice)


@pytest.mark.parametrize(
    "switches",
    [{"duplicate": 2}, {"reorder": True}, {"delay_seconds": 0.5}, {"drop_next": 2}],
    ids=["tripled", "reordered", "delayed", "partly_lost"],
)
def test_however_notifications_come_one_or_two_syncs_make_it_equal(
    world: World, alice: Person, switches: dict[str, float]
) -> None:
    """Those that a busy machine draws out cost one more for each pause that passes while they come."""
    world.google.configure(**switches)
    began = time.monotonic()
    for number in range(4):
        world.google.insert_event(alice.email, world.event(f"M{number}", hours=number + 2))
    assert world.google.wait_push_idle()
    pauses = int((time.monotonic() - began) / COALESCE_SECONDS)

    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])

    assert world.google_calls("events.list") <= 2 + pauses


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Goog-Channel-Token": "0" * 64}, 401),
        ({"X-Goog-Channel-Token": ""}, 401),
        ({"X-Goog-Channel-ID": ""}, 401),
        ({"X-Goog-Resource-ID": "somebody-elses"}, 401),
        ({"X-Goog-Resource-ID": ""}, 400),
        ({"X-Goog-Channel-ID": "never-opened"}, 204),
    ],
)
def test_a_notification_that_is_not_genuine_causes_no_work(
    world: World, alice: Person, headers: dict[str, str], status: int
) -> None:
    before = seen(world, alice)

    assert notify(world, **headers) == status

    assert seen(world, alice) == before
    assert world.google.counters()["calls"] == {}
    assert world.rpcs().get("claim_due_calendars") is None


def test_a_wrong_resource_id_is_counted_as_evidence(world: World, alice: Person) -> None:
    notify(world, **{"X-Goog-Resource-ID": "somebody-elses"})

    assert channel(world)["refused"] == 1


def test_tokens_of_an_older_secret_are_still_taken(world: World, alice: Person) -> None:
    world.restart_service(CHANNEL_TOKEN_SECRET="a-newer-secret-of-thirty-two-chars," + world.environment[
        "CHANNEL_TOKEN_SECRET"
    ])  # fmt: skip

    world.google.insert_event(alice.email, world.event("Pushed"))

    assert world.service
    world.await_equal(alice)


def test_message_numbers_in_any_order_skip_nothing(world: World, alice: Person) -> None:
    for number in ("1", "10", "7", "not-a-number", "9" * 30):
        assert notify(world, **{"X-Goog-Message-Number": number}) == 204

    assert seen(world, alice) == 5
    assert channel(world)["last_message_number"] == 10
    world.await_synced(world.calendar(alice)["id"])


@pytest.mark.parametrize("handshake", ["before", "after", "never"])
def test_the_handshake_may_come_before_or_after_the_answer_or_never(world: World, handshake: str) -> None:
    world.google.configure(handshake=handshake)
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()

    assert channel(world)["notifications"] == (0 if handshake == "never" else 1)
    assert [each["status"] for each in world.google.deliveries()] == ([] if handshake == "never" else [204])
    assert seen(world, alice) == 0
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)


def test_a_stopped_channel_that_still_speaks_is_answered_and_causes_no_work(world: World, alice: Person) -> None:
    old = channel(world)["id"]
    world.google.configure(deliver_after_stop=True)
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    world.renew()
    assert world.google.wait_push_idle()
    world.reset_counters()

    world.google.insert_event(alice.email, world.event("Twice announced"))
    assert world.google.wait_push_idle()
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])

    spoken = [each for each in world.google.deliveries() if each["channel"] == old and each["state"] == "exists"]
    assert [each["status"] for each in spoken] == [204]
    assert seen(world, alice) == 1
    assert world.google_calls("events.list") == 1


def test_overlapping_channels_announce_one_edit_twice_and_cost_one_effective_sync(world: World, alice: Person) -> None:
    world.google.add_fault("backend_503", method="channels.stop", retry_after=60)
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    world.renew()
    assert [each["state"] for each in world.google.channels()] == ["live", "live"]
    world.reset_counters()

    world.google.insert_event(alice.email, world.event("Twice announced"))
    assert world.google.wait_push_idle()
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])

    assert seen(world, alice) == 2
    created = [log["meetings_created"] for log in world.logs(alice) if log["sync_type"] == "webhook"]
    assert sum(created) == 1
    assert len(created) <= 2
