"""Losing access: the user is told once, in their own words and under their own rights; coming back is told too."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import httpx
import pytest

from sync.core.accounts.connection_loss import TESTING_REASON
from sync.core.polling.purse import Lane
from sync.jobs.driving.poll_user import poll_user
from sync.jobs.services import build_services
from tests.clients.google.answering import answering
from tests.command_line import Cli
from tests.world import Person, World


def told(world: World, person: Person) -> list[tuple[str, str, bool]]:
    """(kind, reason, still open), oldest first, as the person's own front end reads it."""
    headers = {"apikey": world.supabase.anon_key, "Authorization": f"Bearer {world.supabase.user_jwt(person.user_id)}"}
    asked = "user_notifications?select=kind,reason,resolved_at&order=created_at"
    answer = httpx.get(f"{world.supabase.url}/rest/v1/{asked}", headers=headers, timeout=60)
    answer.raise_for_status()
    return [(row["kind"], row["reason"], row["resolved_at"] is None) for row in answer.json()]


def forget_access_tokens(world: World) -> None:
    world.db.execute("update google_credentials set access_token = null, access_token_expires_at = null")


def poll(world: World, person: Person) -> list[str | None]:
    """Error codes of a forced poll after any backoff, by a process that remembers nothing."""
    world.db.execute("update calendar_webhooks set not_before = null")
    outcomes = poll_user(build_services(world.settings), person.user_id, forced=True).outcomes
    return [outcome.error_code for outcome in outcomes]


def lose(world: World, person: Person) -> list[str | None]:
    """Polls until the grant counts as lost: what Google refuses must be refused twice. Error codes of the second."""
    poll(world, person)
    world.let_suspicions_age()
    return poll(world, person)


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

    assert lose(world, alice) == [reason]
    assert told(world, alice) == [("reconnect_needed", reason, True)]
    calls = world.google.counters()["calls"]
    make_due(world)
    assert poll(world, alice) == []
    assert world.post("/functions/v1/calendar-polling-cron").json()["total_calendars"] == 0
    assert world.post("/functions/v1/renew-calendar-watches").json()["total"] == 0

    assert world.google.counters()["calls"] == calls
    assert told(world, alice) == [("reconnect_needed", reason, True)]


def test_one_passing_refusal_of_a_grant_is_tried_again_and_told_to_nobody(world: World) -> None:
    alice = connected(world)
    world.google.insert_event(alice.email, world.event("New"))
    fault = world.google.add_fault("invalid_grant", account=alice.email)

    assert poll(world, alice) == ["invalid_grant"]
    assert poll(world, alice) == ["invalid_grant"]

    assert told(world, alice) == []
    assert world.rows("select status from google_credentials") == [{"status": "connected"}]
    calendar = world.calendar(alice)
    assert calendar["paused_reason"] is None
    assert 60 < (calendar["due_at"] - calendar["last_error_at"]).total_seconds() < 120
    world.google.release(fault)
    world.make_due(alice)
    assert [outcome.status for outcome in world.sweep(world.services_with()).outcomes] == ["completed"]
    world.assert_equal(alice)
    assert world.rows("select suspected_at from google_credentials") == [{"suspected_at": None}]


def test_one_refusal_heard_by_many_calendars_at_once_is_one(world: World) -> None:
    alice = world.person()
    names = [f"team{number}@example.com" for number in range(6)]
    for name in names:
        world.google.add_calendar(alice.email, name)
    world.connect(alice, ["primary", *names])
    forget_access_tokens(world)
    world.google.revoke(alice.email)

    for _ in range(2):
        world.make_due(alice)
        codes = [outcome.error_code for outcome in world.sweep(world.services_with(SYNC_THREADS="6")).outcomes]
        assert codes == ["invalid_grant"] * 7

    assert told(world, alice) == []
    world.let_suspicions_age()
    world.make_due(alice)
    world.sweep(world.services_with(SYNC_THREADS="6"))
    assert told(world, alice) == [("reconnect_needed", "invalid_grant", True)]


def test_a_grant_that_was_given_to_another_oauth_client_is_the_operators_matter(world: World) -> None:
    """Real Google answers invalid_grant here too, so that a swapped client id looks like every user's withdrawal."""
    alice = connected(world)
    assert poll(world, alice) == [None]
    forget_access_tokens(world)
    world.google.configure(clients={"emulator-client": "emulator-secret", "other-client": "other-secret"})
    services = world.services_with(GOOGLE_CLIENT_ID="other-client", GOOGLE_CLIENT_SECRET="other-secret")

    for _ in range(3):
        world.make_due(alice)
        assert [outcome.error_code for outcome in world.sweep(services).outcomes] == ["invalid_grant"]
        world.let_suspicions_age()

    assert told(world, alice) == []
    assert world.rows("select status from google_credentials") == [{"status": "connected"}]
    assert services.operator_faults.current() == ["other_oauth_client"]
    assert poll(world, alice) == [None]


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "deleted_client"])
def test_a_wrong_oauth_client_disconnects_nobody(world: World, code: str) -> None:
    alice = connected(world)
    with answering() as wrong:
        wrong.status, wrong.body = 401, f'{{"error": "{code}"}}'.encode()
        services = world.services_with(GOOGLE_TOKEN_URI=wrong.url)
        for _ in range(4):
            world.make_due(alice)
            assert [outcome.error_code for outcome in world.sweep(services).outcomes] == [code]
            world.let_suspicions_age()

    assert told(world, alice) == []
    calendar = world.calendar(alice)
    assert (calendar["paused_reason"], calendar["last_error_code"]) == (None, code)
    assert (calendar["due_at"] - calendar["last_error_at"]).total_seconds() > 600
    assert services.operator_faults.current() == [code]
    assert poll(world, alice) == [None]


def test_who_was_disconnected_by_mistake_is_connected_again_by_a_command(world: World, cli: Cli) -> None:
    alice, bob, eve = connected(world), connected(world, "bob"), connected(world, "eve")
    refused = world.google.add_fault("invalid_grant", account=alice.email)
    world.google.revoke(bob.email)
    lose(world, alice)
    lose(world, bob)
    world.google.release(refused)
    world.google.insert_event(alice.email, world.event("While away"))

    done = cli("regain", "--json")

    assert (done.exit_code, done.json) == (0, {"regained": 1, "refused": 1, "left": 0})
    assert told(world, alice) == [("reconnect_needed", "invalid_grant", False), ("reconnected", "reconnected", True)]
    assert told(world, bob) == [("reconnect_needed", "invalid_grant", True)]
    assert told(world, eve) == []
    world.sweep()
    world.assert_equal(alice)


def test_the_command_says_nothing_of_anybody_under_a_wrong_oauth_client(world: World, cli: Cli) -> None:
    alice = connected(world)
    world.google.revoke(alice.email)
    lose(world, alice)

    done = cli("regain", services=world.services_with(GOOGLE_CLIENT_ID="nobody"))

    assert (done.exit_code, done.stdout) == (2, "")
    assert "invalid_client" in done.stderr
    assert told(world, alice) == [("reconnect_needed", "invalid_grant", True)]


def test_one_passing_refusal_of_a_calendar_after_other_trouble_is_told_to_nobody(world: World) -> None:
    alice = connected(world)
    for kind in ("backend_503", "backend_503", "lost_access_404", "backend_503"):
        fault = world.google.add_fault(kind, method="events.list", retry_after=60 if kind == "backend_503" else None)
        poll(world, alice)
        world.google.release(fault)
    assert told(world, alice) == []

    world.google.add_fault("lost_access_404", method="events.list")
    poll(world, alice)

    assert [kind for kind, _, _ in told(world, alice)] == ["calendar_lost"]


def test_reconnecting_resumes_catches_up_and_says_so(world: World) -> None:
    alice = connected(world)
    world.google.revoke(alice.email)
    lose(world, alice)
    world.google.insert_event(alice.email, world.event("While away"), notify=False)

    alice.refresh_token = world.google.grant(alice.email)
    world.connect(alice)

    world.await_equal(alice)
    assert told(world, alice) == [("reconnect_needed", "invalid_grant", False), ("reconnected", "reconnected", True)]


def test_a_grant_that_ends_after_seven_days_is_named_as_an_app_in_testing(world: World) -> None:
    alice = connected(world)
    world.db.execute("update google_credentials set status_at = %s", (dt.datetime.now(dt.UTC) - dt.timedelta(days=7),))
    world.google.revoke(alice.email)

    lose(world, alice)

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
    lose(world, alice)
    assert told(world, bob) == []

    def patch(person: Person, body: dict[str, Any]) -> int:
        token = world.supabase.user_jwt(person.user_id)
        return httpx.patch(
            f"{world.supabase.url}/rest/v1/user_notifications?kind=eq.reconnect_needed",
            json=body,
            headers={"apikey": world.supabase.anon_key, "Authorization": f"Bearer {token}"},
            timeout=60,
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
        found.append(services.tokens.of(alice.user_id, sealed, Lane.POLL).token())

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
