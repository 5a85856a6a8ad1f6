"""Whose calendar a name means: learnt from what cannot fail, also when the list of calendars cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.calls import CONNECT, bearer, call
from tests.world import JsonObject, Person, World, wait_until

EVENTS = "https://www.googleapis.com/auth/calendar.events.readonly"
HIDDEN_LISTS = ["backend_503", "scope missing"]


def connect(world: World, person: Person, token: str, **body: Any) -> list[JsonObject]:
    """The calendars of a good answer."""
    body = {"userId": person.user_id, "provider_refresh_token": token, **body}
    answer = call(world, CONNECT, bearer(world.supabase.service_key), json=body)
    assert answer.status_code == 200, answer.text
    calendars: list[JsonObject] = answer.json()["calendars"]
    return calendars


def account(world: World) -> str | None:
    (row,) = world.rows("select google_account from google_credentials")
    address: str | None = row["google_account"]
    return address


def live_channels(world: World) -> int:
    return sum(channel["state"] == "live" for channel in world.google.channels())


def unlisted(world: World, person: Person, how: str) -> str:
    """A new refresh token of an account whose list of calendars cannot be read."""
    if how == "backend_503":
        world.google.add_fault("backend_503", method="calendarList")
        return world.google.grant(person.email)
    return world.google.grant(person.email, scopes=[EVENTS])


def watched(world: World) -> Person:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Of the old account"), notify=False)
    world.connect(alice)
    assert world.live_titles(alice) == ["Of the old account"]
    return alice


@pytest.mark.parametrize("how", HIDDEN_LISTS)
def test_another_account_whose_list_cannot_be_read_is_followed_and_not_taken_for_the_old_one(
    world: World, how: str
) -> None:
    alice, other = watched(world), world.person("other")
    world.google.insert_event(other.email, world.event("Of the new account"), notify=False)

    (calendar,) = connect(world, alice, unlisted(world, other, how))

    assert calendar["watch"] == "live"
    assert account(world) is None
    wait_until(lambda: world.live_titles(alice) == ["Of the new account"], "the new account's meetings alone")
    world.await_synced(calendar["id"])
    world.google.insert_event(other.email, world.event("Pushed", hours=5))
    wait_until(lambda: "Pushed" in world.live_titles(alice), "the new account's push")
    assert world.logs(alice)[-1]["sync_type"] == "webhook"


@pytest.mark.parametrize("how", HIDDEN_LISTS)
def test_another_account_that_can_be_neither_listed_nor_watched_keeps_nothing_of_the_old_one(
    world: World, how: str
) -> None:
    alice, other = watched(world), world.person("other")
    token = unlisted(world, other, how)
    world.google.add_fault("unwatchable")

    (calendar,) = connect(world, alice, token)

    assert (calendar["watch"], account(world)) == ("polled", None)
    wait_until(lambda: world.live_titles(alice) == [], "nothing of the old account")


@pytest.mark.parametrize("how", HIDDEN_LISTS)
def test_the_same_account_is_recognised_by_its_calendar_when_its_list_cannot_be_read(world: World, how: str) -> None:
    alice = watched(world)
    before = world.meetings(alice)

    (calendar,) = connect(world, alice, unlisted(world, alice, how))

    world.await_synced(calendar["id"])
    assert account(world) == alice.email
    wait_until(lambda: world.logs(alice)[-1]["is_full"] and world.meetings(alice) == before, "listed, nothing new")


def test_a_reconnection_proves_its_channel_by_a_new_one(world: World) -> None:
    """Whatever became of the old one, which may have died unheard."""
    alice = watched(world)

    (calendar,) = connect(world, alice, alice.refresh_token)

    assert calendar["expires_at"] is not None
    wait_until(lambda: [c["state"] for c in world.google.channels()] == ["stopped", "live"], "the old one is stopped")


@pytest.mark.parametrize("steps", [["primary", "EMAIL"], ["EMAIL", "primary"], ["BOTH"]], ids=str)
def test_the_primary_calendar_under_two_names_is_one(world: World, steps: list[str]) -> None:
    alice = world.person()
    token = unlisted(world, alice, "scope missing")
    names = {"primary": ["primary"], "EMAIL": [alice.email], "BOTH": ["primary", alice.email]}
    world.google.insert_event(alice.email, world.event("Once"), notify=False)

    for step in steps:
        calendars = connect(world, alice, token, calendarIds=names[step])
        world.await_synced(calendars[0]["id"])

    assert [calendar["google_calendar_id"] for calendar in calendars] == ["primary"] or steps[-1] == "EMAIL"
    wait_until(lambda: world.live_titles(alice) == ["Once"], "the meeting once")
    assert world.rows("select google_calendar_id from calendar_webhooks where is_active") == [
        {"google_calendar_id": "primary"}
    ]
    wait_until(lambda: live_channels(world) == 1, "one channel")
