"""Connecting: the watched calendars as answer; a refused connection leaves nothing behind."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.web.calls import CONNECT, assert_no_secret, assert_problem, bearer, call
from tests.world import JsonObject, Person, World

KEYS = {"success", "message", "google_account", "calendars"}
CALENDAR_KEYS = {"id", "google_calendar_id", "watch", "expires_at", "reason"}
TEAM = "team@group.calendar.google.com"


def connect(world: World, person: Person, *, key: str | None = None, **body: Any) -> httpx.Response:
    body = {"userId": person.user_id, "provider_refresh_token": person.refresh_token, **body}
    answer = call(world, CONNECT, bearer(key or world.supabase.service_key), json=body)
    assert_no_secret(world, answer, person)
    return answer


def connected(world: World, person: Person, **body: Any) -> list[JsonObject]:
    """The calendars of a good answer."""
    answer = connect(world, person, **body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == KEYS
    assert answer.json()["success"] is True
    calendars: list[JsonObject] = answer.json()["calendars"]
    assert all(set(calendar) == CALENDAR_KEYS for calendar in calendars)
    return calendars


def assert_nothing_was_done(world: World) -> None:
    for table in ("google_credentials", "calendar_webhooks", "calendar_channels", "calendar_sync_logs"):
        assert world.rows(f"select * from {table}") == []
    assert world.google.channels() == []
    assert world.google_calls("events.watch") == 0


def test_the_primary_calendar_is_connected_and_watched(world: World) -> None:
    alice = world.person()

    (calendar,) = connected(world, alice)

    row = world.calendar(alice)
    assert (calendar["id"], calendar["google_calendar_id"]) == (str(row["id"]), "primary")
    assert (calendar["watch"], calendar["reason"]) == ("live", None)
    assert calendar["expires_at"] == row["expiration_time"].isoformat()
    world.await_synced(calendar["id"])


def test_a_user_connects_themselves_with_their_jwt(world: World) -> None:
    alice = world.person()
    body = {"provider_token": "unused", "provider_refresh_token": alice.refresh_token}

    answer = call(world, CONNECT, bearer(world.supabase.user_jwt(alice.user_id)), json=body)

    assert answer.status_code == 200
    assert world.rows("select user_id::text, status from google_credentials") == [
        {"user_id": alice.user_id, "status": "connected"}
    ]


def test_tokens_are_stored_as_ciphertext_only(world: World) -> None:
    alice = world.person()
    connected(world, alice)

    (row,) = world.rows("select refresh_token, access_token from google_credentials")
    assert row["refresh_token"].startswith("v2.")
    assert row["access_token"].startswith("v2.")
    assert alice.refresh_token not in str(world.rows("select * from google_credentials"))


@pytest.mark.parametrize("named", [["primary"], ["EMAIL"], ["EMAIL", "primary"], ["primary", " primary "], [], None])
def test_the_primary_calendar_has_one_name(world: World, named: list[str] | None) -> None:
    alice = world.person()
    ids = [alice.email if name == "EMAIL" else name for name in named] if named is not None else None

    (calendar,) = connected(world, alice, calendarIds=ids)

    assert calendar["google_calendar_id"] == "primary"
    assert len(world.rows("select 1 from calendar_webhooks")) == 1


def test_several_calendars_are_connected_at_once(world: World) -> None:
    alice = world.person()
    world.google.add_calendar(alice.email, TEAM)
    world.google.add_calendar(alice.email, "holidays@group.v.calendar.google.com", watchable=False)

    calendars = connected(world, alice, calendarIds=[alice.email, TEAM, "holidays@group.v.calendar.google.com"])

    assert {c["google_calendar_id"]: (c["watch"], c["reason"]) for c in calendars} == {
        "primary": ("live", None),
        TEAM: ("live", None),
        "holidays@group.v.calendar.google.com": ("polled", "pushNotSupportedForRequestedResource"),
    }
    for calendar in calendars:
        world.await_synced(calendar["id"])


def test_connecting_twice_is_harmless(world: World) -> None:
    alice = world.person()
    (first,) = connected(world, alice)
    world.await_synced(first["id"])
    world.google.insert_event(alice.email, world.event("Kept"))
    world.await_equal(alice)

    (second,) = connected(world, alice)

    assert (second["id"], second["watch"]) == (first["id"], "live")
    states = [channel["state"] for channel in world.google.channels()]
    assert (states[-1], states.count("live")) == ("live", 1)
    assert len(world.rows("select 1 from google_credentials")) == 1
    world.await_synced(first["id"])
    world.assert_equal(alice)


def test_a_calendar_added_later_joins_the_others(world: World) -> None:
    alice = world.person()
    world.google.add_calendar(alice.email, TEAM)
    connected(world, alice)

    (team,) = connected(world, alice, calendarIds=[TEAM])

    assert team["google_calendar_id"] == TEAM
    assert len(world.rows("select 1 from calendar_webhooks where is_active")) == 2


def test_a_dead_grant_is_refused_and_leaves_nothing(world: World) -> None:
    alice = world.person()
    world.google.revoke(alice.email)

    problem = assert_problem(connect(world, alice), 422, "grant_refused")

    assert "sign in with Google again" in problem["detail"]
    assert_nothing_was_done(world)


def test_an_invented_token_is_refused_and_leaves_nothing(world: World) -> None:
    alice = world.person()

    assert_problem(connect(world, alice, provider_refresh_token="1//invented"), 422, "grant_refused")

    assert_nothing_was_done(world)


def test_a_grant_without_the_events_is_refused_and_leaves_nothing(world: World) -> None:
    alice = world.person()
    scope = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"
    token = world.google.grant(alice.email, scopes=[scope])

    assert_problem(connect(world, alice, provider_refresh_token=token), 422, "scope_missing")

    assert_nothing_was_done(world)


@pytest.mark.parametrize("others", [[], ["primary"], [TEAM]])
def test_an_unknown_calendar_is_refused_and_leaves_nothing(world: World, others: list[str]) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    world.google.add_calendar(alice.email, TEAM)

    answer = connect(world, alice, calendarIds=[*others, bob.email])

    assert bob.email in assert_problem(answer, 422, "calendar_unknown")["detail"]
    assert_nothing_was_done(world)


def test_an_unknown_user_is_refused_and_leaves_nothing(world: World) -> None:
    alice = world.person()

    assert_problem(connect(world, alice, userId=str(uuid.uuid4())), 404, "user_unknown")

    assert_nothing_was_done(world)


def test_a_dead_grant_does_not_harm_the_connection_there_is(world: World) -> None:
    alice = world.person()
    (calendar,) = connected(world, alice)
    world.await_synced(calendar["id"])
    before = world.rows("select refresh_token, status from google_credentials")

    assert_problem(connect(world, alice, provider_refresh_token="1//invented"), 422, "grant_refused")

    assert world.rows("select refresh_token, status from google_credentials") == before


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("backend_503", 503, "google_unavailable"), ("invalid_client", 502, "google_project_refused")],
)
def test_what_is_not_the_users_fault_is_not_laid_on_them(world: World, fault: str, status: int, code: str) -> None:
    alice = world.person()
    world.google.add_fault(fault, method="token")

    assert_problem(connect(world, alice), status, code)

    assert_nothing_was_done(world)


def test_a_project_without_the_calendar_api_is_named(world: World) -> None:
    alice = world.person()
    world.google.add_fault("access_not_configured", method="calendarList")

    problem = assert_problem(connect(world, alice, calendarIds=[alice.email]), 502, "google_project_refused")

    assert "accessNotConfigured" in problem["detail"]
    assert_nothing_was_done(world)


def test_a_store_that_is_down_leaves_nothing(world: World) -> None:
    alice = world.person()
    world.supabase.fault("connect_calendars", "http_500", times=50)

    assert_problem(connect(world, alice), 503, "store_unavailable")

    world.supabase.clear_faults()
    assert_nothing_was_done(world)


def test_a_lost_answer_of_the_store_is_no_loss(world: World) -> None:
    alice = world.person()
    world.supabase.fault("connect_calendars", "drop_after")

    (calendar,) = connected(world, alice)

    assert calendar["watch"] == "live"
    assert len(world.rows("select 1 from calendar_webhooks")) == 1
