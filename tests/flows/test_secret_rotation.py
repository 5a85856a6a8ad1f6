"""The ways of SECURITY.md to rotate what channels and sign-ins hang on: what works meanwhile, and after."""

from __future__ import annotations

import httpx

from tests.web.calls import POLL, assert_problem, bearer, call
from tests.world import Person, World, wait_until

NEW = "a-new-secret-of-our-channels-0001"


def push(world: World, person: Person, title: str) -> None:
    world.google.insert_event(person.email, world.event(title))
    world.google.wait_push_idle()


def renew_all(world: World) -> None:
    """Step B."""
    answer = httpx.patch(
        f"{world.supabase.url}/rest/v1/calendar_webhooks?is_active=is.true",
        headers={"apikey": world.supabase.service_key},
        json={"expiration_time": "now", "watch_retry_at": None},
        timeout=60,
    )
    assert answer.status_code == 204, answer.text
    renewed = world.post("/functions/v1/renew-calendar-watches", key=world.environment["CRON_SECRET"]).json()
    assert (renewed["renewed"], renewed["failed"], renewed["remaining"]) == (1, 0, 0)


def test_channels_of_the_old_secret_are_heard_while_it_is_second(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    old = world.environment["CHANNEL_TOKEN_SECRET"]

    world.restart_service(CHANNEL_TOKEN_SECRET=f"{NEW},{old}")
    _ = world.service
    push(world, alice, "By the old token")
    wait_until(lambda: "By the old token" in world.live_titles(alice), "the old channel's push")

    renew_all(world)
    world.restart_service(CHANNEL_TOKEN_SECRET=NEW)
    _ = world.service
    push(world, alice, "By the new token")
    wait_until(lambda: "By the new token" in world.live_titles(alice), "the new channel's push")
    world.assert_equal(alice)


def test_a_leaked_channel_secret_is_worth_nothing_once_replaced(world: World) -> None:
    alice = world.person()
    world.connect(alice)

    world.restart_service(CHANNEL_TOKEN_SECRET=NEW)
    _ = world.service
    push(world, alice, "Refused")
    assert world.google.deliveries()[-1]["status"] == 401
    assert world.live_titles(alice) == []

    # Polling finds it all the same; the new channel is heard.
    renew_all(world)
    world.poll(alice)
    assert world.live_titles(alice) == ["Refused"]
    push(world, alice, "Heard")
    wait_until(lambda: "Heard" in world.live_titles(alice), "the new channel's push")
    world.assert_equal(alice)


def test_after_the_move_to_signing_keys_the_shared_secret_opens_nothing(world: World) -> None:
    alice = world.person()
    old, new = (bearer(world.supabase.user_jwt(alice.user_id, algorithm=kind)) for kind in ("HS256", "ES256"))
    for headers in (old, new):
        assert_problem(call(world, POLL, headers, json={}), 404, "no_calendars")

    world.restart_service(SUPABASE_JWT_SECRET="")

    assert_problem(call(world, POLL, old, json={}), 401, "unauthorized")
    assert_problem(call(world, POLL, new, json={}), 404, "no_calendars")
