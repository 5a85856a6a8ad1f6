"""Losing access: the user is told once, in their own words and under their own rights; coming back is told too."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import httpx
import pytest

from sync.core.accounts.connection_loss import TESTING_REASON
from sync.jobs.driving.poll_user import poll_user
from sync.jobs.services import build_services
from tests.world import Person, World


def told(world: World, person: Person) -> list[tuple[str, str, bool]]:
    """(kind, reason, still open), oldest first, as the person's own front end reads it."""
    headers = {"apikey": world.supabase.anon_key, "Authorization": f"Bearer {world.supabase.user_jwt(person.user_id)}"}
    answer = httpx.get(f"{world.supabase.url}/rest/v1/user_notifications?order=created_at", headers=headers, timeout=10)
    answer.raise_for_status()
    return [(row["kind"], row["reason"], row["resolved_at"] is None) for row in answer.json()]


def forget_access_tokens(world: World) -> None:
    world.db.execute("update google_credentials set access_token = null, access_token_expires_at = null")


def poll(world: World, person: Person) -> list[str | None]:
    """Error codes of a forced poll, by a process that remembers nothing."""
    outcomes = poll_user(build_services(world.settings), person.user_id, forced=True).outcomes
    return [outcome.error_code for outcome in outcomes]


def connected(world: World, *names: str) -> Person:
    person = world.person()
    world.connect(person)
    world.google.configure(push="drop")
    forget_access_tokens(world)
    return person


def make_due(world: World) -> None:
    world.db.execute("update calendar_webhooks set due_at = now(), not_before = null")


@pytest.mark.parametrize("reason", ["invalid_grant", "invalid_rapt", "admin_policy_enforced"])
def test_a_dead_grant_is_told_once_and_stops_all_calls(world: World, reason: str) -> None:
    alice = connected(world)
    world.google.revoke(alice.email, reason=reason)

    assert poll(world, alice) == [reason]
    assert told(world, alice) == [("reconnect_needed", reason, True)]
    calls = world.google.counters()["calls"]
    make_due(world)
    assert poll(world, alice) == []
    assert world.post("/functions/v1/calendar-polling-cron").json()["total_calendars"] == 0
    assert world.post("/functions/v1/renew-calendar-watches").json()["total"] == 0

    assert world.google.counters()["calls"] == calls
    assert told(world, alice) == [("reconnect_needed", reason, True)]


def test_reconnecting_resumes_catches_up_and_says_so(world: World) -> None:
    alice = connected(world)
    world.google.revoke(alice.email)
    poll(world, alice)
    world.google.insert_event(alice.email, world.event("While away"), notify=False)

    alice.refresh_token = world.google.grant(alice.email)
    world.connect(alice)

    world.await_equal(alice)
    assert told(world, alice) == [("reconnect_needed", "invalid_grant", False), ("reconnected", "reconnected", True)]


def test_a_grant_that_ends_after_seven_days_is_named_as_an_app_in_testing(world: World) -> None:
    alice = connected(world)
    world.db.execute("update google_credentials set status_at = %s", (dt.datetime.now(dt.UTC) - dt.timedelta(days=7),))
    world.google.revoke(alice.email)

    poll(world, alice)

    assert told(world, alice) == [("reconnect_needed", TESTING_REASON, True)]


@pytest.mark.parametrize("kind", ["backend_503", "reset_before", "malformed_json", "too_many_requests"])
def test_a_token_endpoint_in_trouble_is_no_lost_access(world: World, kind: str) -> None:
    alice = connected(world)
    world.google.add_fault(kind, method="token")

    assert poll(world, alice) != [None]

    assert told(world, alice) == []
    assert world.calendar(alice)["paused_reason"] is None


@pytest.mark.parametrize("kind", ["lost_access_404", "lost_access_403"])
def test_one_refused_calendar_is_paused_alone_and_told_at_the_second_refusal(world: World, kind: str) -> None:
    alice = world.person()
    world.google.add_calendar(alice.email, "team@example.com")
    world.google.insert_event("team@example.com", world.event("Team"), notify=False)
    world.connect(alice, ["primary", "team@example.com"])
    fault = world.google.add_fault(kind, method="events.list", calendar="team@example.com")

    assert sorted(map(str, poll(world, alice)))[0] == "None"
    assert told(world, alice) == []
    poll(world, alice)

    assert [(kind_, open_) for kind_, _, open_ in told(world, alice)] == [("calendar_lost", True)]
    states = {row["google_calendar_id"]: row["state"] for row in world.rows("select * from calendar_status")}
    assert states == {"primary": "healthy", "team@example.com": "paused"}
    assert "Team" in world.live_titles(alice)

    world.google.release(fault)
    assert poll(world, alice) == [None, None]
    assert [(kind_, open_) for kind_, _, open_ in told(world, alice)] == [
        ("calendar_lost", False),
        ("calendar_back", True),
    ]


def test_a_user_sees_their_own_notifications_and_may_only_mark_them_read(world: World) -> None:
    alice, bob = connected(world), world.person("bob")
    world.google.revoke(alice.email)
    poll(world, alice)
    assert told(world, bob) == []

    def patch(person: Person, body: dict[str, Any]) -> int:
        token = world.supabase.user_jwt(person.user_id)
        return httpx.patch(
            f"{world.supabase.url}/rest/v1/user_notifications?kind=eq.reconnect_needed",
            json=body,
            headers={"apikey": world.supabase.anon_key, "Authorization": f"Bearer {token}"},
            timeout=10,
        ).status_code

    assert patch(alice, {"message": "forged"}) == 403
    assert patch(bob, {"read_at": "2026-03-02T10:00:00Z"}) == 204
    assert world.rows("select read_at from user_notifications") == [{"read_at": None}]
    assert patch(alice, {"read_at": "2026-03-02T10:00:00Z"}) == 204
    assert world.rows("select read_at from user_notifications")[0]["read_at"] is not None


def test_two_processes_do_not_refresh_at_once(world: World) -> None:
    alice = connected(world)
    world.google.reset_counters()
    held = world.google.add_fault("hold", method="token", times=1)
    sealed = world.services.store.connections.read_tokens("00000000-0000-0000-0000-000000000000", 1)[0][1]
    found: list[str] = []

    def ask() -> None:
        services = build_services(world.settings)
        found.append(services.tokens.of(alice.user_id, sealed).token())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert world.google.wait_held(held)
    world.google.release(held)
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1
    assert world.google_calls("token") == 1
