"""GET /functions/v1/explain: the chain behind a row, and the reason for a missing one."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.world import Person, World, wait_until


def ask(world: World, key: str | None = None, **question: str) -> httpx.Response:
    return httpx.get(
        f"{world.service.url}/functions/v1/explain",
        params=question,
        headers={"Authorization": f"Bearer {key or world.supabase.service_key}"},
        timeout=20,
    )


def codes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [step["code"] for step in answer.json()["explanations"][0]["because"]]


def row(world: World, person: Person, title: str) -> dict[str, Any]:
    return next(meeting for meeting in world.meetings(person) if meeting["title"] == title)


def test_a_pushed_meeting_names_its_notification_its_sync_and_its_rule(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.insert_event(alice.email, world.event("Pushed"))
    wait_until(lambda: "Pushed" in world.live_titles(alice), "the meeting")

    answer = ask(world, meeting=str(row(world, alice, "Pushed")["id"]))

    assert codes(answer) == ["asked_by_webhook", "committed", "from_single", "link_found", "confirmed"]
    assert "Pushed" not in answer.text
    assert "zoom.us" not in answer.text


def test_a_deleted_meeting_says_so(world: World) -> None:
    alice = world.person()
    event = world.google.insert_event(alice.email, world.event("Gone"), notify=False)
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.delete_event(alice.email, event["id"])
    world.poll(alice)

    assert codes(ask(world, meeting=str(row(world, alice, "Gone")["id"])))[-1] == "cancelled_deleted"
    assert codes(ask(world, event=event["id"]))[-1] == "cancelled_deleted"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("no_link", {"location": "Room 5"}),
        ("event_type", {"eventType": "focusTime", "focusTimeProperties": {}}),
        ("beyond_horizon", {"hours": 24 * 100}),
    ],
)
def test_a_missing_meeting_has_a_reason(world: World, code: str, change: dict[str, Any]) -> None:
    alice = world.person()
    event = world.google.insert_event(alice.email, world.event("Missing", **change), notify=False)
    world.connect(alice)

    assert codes(ask(world, event=event["id"])) == [code]


def test_an_event_nobody_knows_is_said_to_be_in_no_calendar(world: World) -> None:
    assert codes(ask(world, event="nowhere")) == ["not_in_calendar"]


def test_a_user_may_ask_about_their_own_meetings_only(world: World) -> None:
    alice, bob = world.person(), world.person("bob")
    event = world.google.insert_event(alice.email, world.event("Alice's"), notify=False)
    world.connect(alice)
    meeting = str(row(world, alice, "Alice's")["id"])
    alices, bobs = world.supabase.user_jwt(alice.user_id), world.supabase.user_jwt(bob.user_id)

    assert codes(ask(world, alices, meeting=meeting))[-1] == "confirmed"
    assert ask(world, bobs, meeting=meeting).status_code == 404
    assert codes(ask(world, alices, event=event["id"]))[-1] == "confirmed"
    assert codes(ask(world, bobs, event=event["id"])) == ["not_in_calendar"]
    assert ask(world, "wrong", meeting=meeting).status_code == 401


@pytest.mark.parametrize(
    ("status", "code", "question"),
    [
        (400, "question_missing", {}),
        (400, "question_missing", {"meeting": "a", "event": "b"}),
        (400, "meeting_malformed", {"meeting": "42"}),
        (400, "event_malformed", {"event": "x" * 2000}),
        (404, "meeting_unknown", {"meeting": str(uuid.UUID(int=1))}),
    ],
)
def test_a_bad_question_names_the_mend(world: World, status: int, code: str, question: dict[str, str]) -> None:
    answer = ask(world, **question)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
