"""Situations 12, 15 and 17 to 20 (notifications): doubled, forged, out of order, dropped, in bursts, during a sync."""

from __future__ import annotations

import datetime as dt
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


def settle(world: World, alice: Person) -> None:
    """Every notification is delivered, and every sync it asked for is done."""
    assert world.google.wait_push_idle()
    world.await_synced(str(world.calendar(alice)["id"]))
    world.assert_equal(alice)


def channel(world: World) -> JsonObject:
    return world.rows("select * from calendar_channels where state = 'live'")[0]


def notify(world: World, of: JsonObject, headers: dict[str, str]) -> int:
    """A POST as Google sends it; the status of the answer."""
    from_store = {
        "X-Goog-Channel-ID": of["id"],
        "X-Goog-Channel-Token": channel_token(world.settings.channel_token_secrets[0], of["id"]),
        "X-Goog-Resource-ID": of["resource_id"],
        "X-Goog-Resource-State": "exists",
        "X-Goog-Message-Number": "5",
    }
    return httpx.post(f"{world.service.url}{WEBHOOK}", headers={**from_store, **headers}, timeout=60).status_code


@pytest.mark.parametrize("pages", [1, 3])
def test_situation_12_exists_during_a_sync_brings_one_more_sync_after_it(
    world: World, alice: Person, pages: int
) -> None:
    hold = world.google.add_fault("hold", method="events.list", times=1)
    world.google.insert_event(alice.email, world.event("First"))
    assert world.google.wait_held(hold)
    for number in range(pages):
        world.google.insert_event(alice.email, world.event(f"During {number}", hours=4 + number))
    assert world.google.wait_push_idle()
    world.google.release(hold)

    settle(world, alice)

    assert len(world.live_titles(alice)) == 1 + pages
    assert world.google_calls("events.list") == 2
    assert [log["sync_type"] for log in world.logs(alice)] == ["initial", "webhook", "webhook"]


def test_situation_15_overlapping_channels_and_one_edit_are_one_effective_sync(world: World, alice: Person) -> None:
    """The old channel is not stopped yet when the new one already speaks."""
    world.google.add_fault("backend_503", method="channels.stop")
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    world.renew()
    assert world.google.wait_push_idle()
    assert len([each for each in world.google.channels() if each["state"] == "live"]) == 2
    already = len(world.logs(alice))

    world.google.insert_event(alice.email, world.event("Once"))
    settle(world, alice)

    effective = [log for log in world.logs(alice)[already:] if log["meetings_created"]]
    assert len(effective) == 1
    assert len([each for each in world.google.deliveries() if each["state"] == "exists"]) == 2
    assert world.google_calls("events.list") <= 2


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Goog-Channel-Token": "wrong"},
        {"X-Goog-Channel-Token": ""},
        {"X-Goog-Resource-ID": "another"},
        {"X-Goog-Channel-ID": "unknown"},
    ],
    ids=lambda headers: f"{next(iter(headers))}={next(iter(headers.values()))}",
)
def test_situation_17_a_wrong_token_or_resource_id_is_refused_and_causes_no_work(
    world: World, alice: Person, headers: dict[str, str]
) -> None:
    before = world.calendar(alice)
    world.google.insert_event(alice.email, world.event("Unannounced"), notify=False)

    assert notify(world, channel(world), headers) == 401

    assert world.calendar(alice) == before
    assert world.google_calls("events.list") == 0
    assert channel(world)["refused"] == ("X-Goog-Resource-ID" in headers)


def test_situation_18_message_numbers_1_10_7_are_all_taken(world: World, alice: Person) -> None:
    seen = world.calendar(alice)["notifications_seen"]
    for number in (1, 10, 7):
        assert notify(world, channel(world), {"X-Goog-Message-Number": str(number)}) == 204

    settle(world, alice)

    assert world.calendar(alice)["notifications_seen"] == seen + 3
    assert channel(world)["last_message_number"] == 10


def test_situation_19_what_all_pushes_missed_is_found_by_the_poll_inside_the_stored_bound(
    world: World, alice: Person
) -> None:
    world.google.configure(push="drop")
    calendar = world.calendar(alice)
    bound = dt.timedelta(seconds=calendar["stale_bound_seconds"])
    assert calendar["due_at"] - calendar["last_synced_at"] <= bound <= dt.timedelta(hours=24)
    world.google.insert_event(alice.email, world.event("Unannounced"))
    assert world.sweep().outcomes == ()

    world.db.execute("update calendar_webhooks set due_at = now()")
    assert [outcome.created for outcome in world.sweep().outcomes] == [1]

    world.assert_equal(alice)
    assert world.google_calls("events.list") == 1


@pytest.mark.parametrize("switches", [{}, {"duplicate": 2, "reorder": True, "latency_seconds": 0.3}], ids=str)
def test_situation_20_50_pushes_in_2_seconds_are_one_or_two_list_calls(
    world: World, alice: Person, switches: dict[str, float]
) -> None:
    """A burst that a busy machine draws out is one more for each pause that has passed before its end."""
    world.google.configure(**switches)
    began = time.monotonic()
    for number in range(50):
        world.google.insert_event(alice.email, world.event(f"M{number}", hours=2 + number))
    assert world.google.wait_push_idle()
    pauses = int((time.monotonic() - began) / COALESCE_SECONDS)

    wait_until(lambda: len(world.live_titles(alice)) == 50, "all of the burst")
    settle(world, alice)

    assert 1 <= world.google_calls("events.list") <= 2 + pauses
    assert len([each for each in world.google.deliveries() if each["state"] == "exists"]) >= 50
