"""The renewal endpoint's answer, and what it does to channels."""

from __future__ import annotations

from tests.web.calls import RENEW, assert_no_secret, bearer, call
from tests.world import JsonObject, World

KEYS = {"success", "message", "renewed", "failed", "total", "stopped", "remaining", "results"}
RESULT_KEYS = {"userId", "calendarId", "status", "expires_at", "error"}


def renewed(world: World) -> JsonObject:
    answer = call(world, RENEW, bearer(world.environment["CRON_SECRET"]))
    assert answer.status_code == 200, answer.text
    assert_no_secret(world, answer)
    body: JsonObject = answer.json()
    assert set(body) == KEYS
    assert all(set(result) == RESULT_KEYS for result in body["results"])
    return body


def lapse_soon(world: World) -> None:
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    world.db.execute("update calendar_channels set expires_at = now() + interval '1 hour'")


def test_nothing_is_renewed_before_its_time(world: World) -> None:
    world.connect(world.person())

    body = renewed(world)

    assert (body["success"], body["renewed"], body["failed"], body["total"], body["results"]) == (True, 0, 0, 0, [])


def test_a_watch_that_lapses_soon_is_renewed_and_the_old_one_stopped(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    lapse_soon(world)

    body = renewed(world)

    assert (body["renewed"], body["failed"], body["total"], body["stopped"]) == (1, 0, 1, 1)
    (result,) = body["results"]
    assert (result["userId"], result["calendarId"], result["status"]) == (alice.user_id, "primary", "renewed")
    assert result["error"] is None
    assert result["expires_at"] > world.now.isoformat()
    assert sorted(channel["state"] for channel in world.google.channels()) == ["live", "stopped"]


def test_a_watch_that_fails_is_counted_and_named(world: World) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    world.connect(alice)
    world.connect(bob)
    lapse_soon(world)
    world.google.add_fault("unwatchable", method="events.watch", account=bob.email)

    body = renewed(world)

    assert (body["success"], body["renewed"], body["failed"], body["total"]) == (True, 1, 1, 2)
    first, second = body["results"]
    assert (first["userId"], first["status"], first["expires_at"]) == (bob.user_id, "failed", None)
    assert first["error"] == "pushNotSupportedForRequestedResource"
    assert (second["userId"], second["status"]) == (alice.user_id, "renewed")
