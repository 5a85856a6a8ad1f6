"""/functions/v1/subscriptions: made, shown, tested, changed, replayed, removed; by the operator alone."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from sync.jobs.events.courier import deliver_due
from tests.subscriber import Subscriber, subscriber
from tests.web.calls import assert_problem, bearer, call
from tests.world import World

PATH = "/functions/v1/subscriptions"


def ask(world: World, method: str, path: str = "", body: Any = None) -> httpx.Response:
    content = {} if body is None else {"json": body}
    return call(world, PATH + path, bearer(world.supabase.service_key), method=method, **content)


def add(world: World, told: Subscriber, **more: Any) -> tuple[str, str]:
    answer = ask(world, "POST", body={"url": told.url, **more})
    assert answer.status_code == 201, answer.text
    found = answer.json()
    return f"/{found['id']}", found["secret"]


def calendar(world: World) -> None:
    user_id = world.supabase.create_user(f"{uuid.uuid4()}@example.com")
    world.db.execute("insert into calendar_webhooks (user_id) values (%s)", (user_id,))


def test_the_life_of_a_subscription(world: World) -> None:
    with subscriber() as told:
        path, secret = add(world, told, types=["calendar.connected"])
        assert secret.startswith("whsec_")
        calendar(world)
        deliver_due(world.services, budget_seconds=10)
        assert told.types == ["calendar.connected"]

        shown = ask(world, "GET", path).json()
        assert secret not in str(shown)
        assert (shown["state"], shown["pending"], shown["dead"], shown["last_status"]) == ("enabled", 0, 0, 204)
        assert shown["last_success_at"] is not None
        assert ask(world, "GET").json() == {"subscriptions": [shown]}

        changed = ask(world, "PATCH", path, {"types": None, "state": "disabled"}).json()
        assert (changed["types"], changed["state"], changed["state_reason"]) == (None, "disabled", "operator")
        assert "secret" not in changed
        assert ask(world, "PATCH", path, {"state": "enabled"}).json()["state_reason"] is None

        assert ask(world, "DELETE", path).status_code == 204
        assert_problem(ask(world, "GET", path), 404, "subscription_unknown")


def test_a_test_event_tells_what_was_answered(world: World) -> None:
    with subscriber([204, 503]) as told:
        path, secret = add(world, told)
        good = ask(world, "POST", f"{path}/test").json()
        bad = ask(world, "POST", f"{path}/test").json()

    assert (good["delivered"], good["status"], good["error"]) == (True, 204, None)
    assert (bad["delivered"], bad["status"]) == (False, 503)
    message = told.messages[0]
    assert message.is_signed_with(secret)
    assert message.body["type"] == "subscription.test"
    assert ask(world, "POST", f"{path}/test").json()["error"] == "not_connected"


def test_a_new_secret_is_shown_once(world: World) -> None:
    with subscriber() as told:
        path, old = add(world, told)
        new = ask(world, "PATCH", path, {"rotate_secret": True}).json()["secret"]
        ask(world, "POST", f"{path}/test")

    assert new != old
    assert told.messages[0].is_signed_with(new)
    assert told.messages[0].is_signed_with(old)
    assert "secret" not in ask(world, "GET", path).json()


def test_replays_by_range_and_by_event(world: World) -> None:
    for _ in range(4):
        calendar(world)
    with subscriber() as told:
        path, _ = add(world, told, after="evt_0")
        deliver_due(world.services, budget_seconds=10)
        ids = [message.id for message in told.accepted]
        assert sorted(ids) == ["evt_1", "evt_2", "evt_3", "evt_4"]

        for body, expected in (
            ({"event": "evt_2"}, ["evt_2"]),
            ({"after": "evt_1", "before": "evt_4"}, ["evt_2", "evt_3"]),
            ({"after": "evt_3"}, ["evt_4"]),
        ):
            told.accepted.clear()
            assert ask(world, "POST", f"{path}/replay", body).json() == {"replayed": len(expected)}
            deliver_due(world.services, budget_seconds=10)
            assert sorted(message.id for message in told.accepted) == expected


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "url_missing"),
        ({"url": 5}, 400, "url_malformed"),
        ({"url": "http://hooks.example.com/"}, 422, "url_refused"),
        ({"url": "https://10.0.0.1/"}, 422, "url_refused"),
        ({"url": "https://169.254.169.254/latest"}, 422, "url_refused"),
        ({"url": "https://h.example/", "types": []}, 400, "types_malformed"),
        ({"url": "https://h.example/", "types": ["meeting"]}, 400, "types_malformed"),
        ({"url": "https://h.example/", "types": [{}]}, 400, "types_malformed"),
        ({"url": "https://h.example/", "content": "all"}, 400, "content_malformed"),
        ({"url": "https://h.example/", "after": "yesterday"}, 400, "after_malformed"),
        ({"url": "https://h.example/", "after": "evt_7"}, 400, "after_unknown"),
    ],
)
def test_what_cannot_be_is_refused_by_name(world: World, body: Any, status: int, code: str) -> None:
    assert_problem(ask(world, "POST", body=body), status, code)
    assert ask(world, "GET").json() == {"subscriptions": []}


def test_changes_are_checked_alike(world: World) -> None:
    with subscriber() as told:
        path, _ = add(world, told)
    assert_problem(ask(world, "PATCH", path, {"url": "https://127.0.0.1/"}), 422, "url_refused")
    assert_problem(ask(world, "PATCH", path, {"state": "gone"}), 400, "state_malformed")
    assert_problem(ask(world, "PATCH", path, {"rotate_secret": "yes"}), 400, "rotate_secret_malformed")
    assert_problem(ask(world, "POST", f"{path}/replay", {}), 400, "after_missing")
    assert_problem(ask(world, "POST", f"{path}/replay", {"after": "x"}), 400, "after_malformed")


@pytest.mark.parametrize("path", ["/00000000-0000-4000-8000-000000000000", "/1", "/%00"])
def test_there_is_none_of_that_id(world: World, path: str) -> None:
    for method, sub in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        assert_problem(ask(world, method, path + sub), 404, "subscription_unknown")
    assert_problem(ask(world, "POST", f"{path}/replay", {"after": "evt_0"}), 404, "subscription_unknown")


def test_there_may_be_so_many(world: World) -> None:
    world.db.execute(
        "insert into event_subscriptions (url, secret, state)"
        " select 'https://h.example', 'v2.s', 'disabled' from generate_series(1, 100)"
    )
    assert_problem(ask(world, "POST", body={"url": "https://h.example/"}), 409, "too_many_subscriptions")
