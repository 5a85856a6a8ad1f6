"""POST /functions/v1/bot-status/<provider>: only what its provider signed is taken, once, and never backwards."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from scripts.stack.bots import FakeServer, signing
from tests.flows.bots.stage import BotStage
from tests.web.calls import assert_problem
from tests.world import Person, World


@pytest.fixture
def stage(world: World, attendee: FakeServer) -> BotStage:
    stage = BotStage(world, attendee)
    attendee.control.configure(message_url=None)
    return stage


@pytest.fixture
def alice(stage: BotStage) -> Person:
    """With one meeting, whose bot is scheduled."""
    alice = stage.world.person()
    stage.world.connect(alice)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"), notify=False)
    stage.sync(alice)
    return alice


def message(stage: BotStage, state: str, number: int = 1) -> dict[str, Any]:
    (bot,) = stage.fake.control.bots()
    return {
        "idempotency_key": f"00000000-0000-4000-8000-{number:012}",
        "bot_id": bot["id"],
        "bot_metadata": {"bot_key": bot["key"]},
        "trigger": "bot.state_change",
        "data": {"new_state": state, "old_state": "scheduled", "created_at": "2026-11-26T10:00:00Z"},
    }


def post(stage: BotStage, body: bytes, headers: dict[str, str], provider: str = "attendee") -> httpx.Response:
    url = f"{stage.world.service.url}/functions/v1/bot-status/{provider}"
    return httpx.post(url, content=body, headers={"Content-Type": "application/json", **headers}, timeout=20)


def tell(stage: BotStage, state: str, number: int = 1) -> int:
    return post(stage, *signing.attendee(message(stage, state, number), stage.fake.secret)).status_code


def status(stage: BotStage, alice: Person) -> str:
    stage.follow()
    return str(stage.meeting(alice)["bot_status"])


def test_what_is_signed_is_taken_and_nothing_goes_backwards(stage: BotStage, alice: Person) -> None:
    assert tell(stage, "joined_recording") == 204
    assert status(stage, alice) == "bot_joined"
    assert tell(stage, "joining", 2) == 204
    assert status(stage, alice) == "bot_joined"
    assert tell(stage, "ended", 3) == 204
    assert tell(stage, "fatal_error", 4) == 204
    assert status(stage, alice) == "completed"


@pytest.mark.parametrize("forgery", ["unsigned", "another body", "another secret", "no json", "another provider's"])
def test_what_is_not_signed_changes_nothing(stage: BotStage, alice: Person, forgery: str) -> None:
    body, headers = signing.attendee(message(stage, "ended"), stage.fake.secret)
    provider = "attendee"
    if forgery == "unsigned":
        headers = {}
    elif forgery == "another body":
        body = body.replace(b"ended", b"joined_recording")
    elif forgery == "another secret":
        _, headers = signing.attendee(message(stage, "ended"), "YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBsb25n")
    elif forgery == "no json":
        body = b"\xff{"
    else:
        provider = "recall"

    assert_problem(post(stage, body, headers, provider), 401, "signature_refused")

    assert status(stage, alice) == "bot_scheduled"


def test_a_replay_does_nothing(stage: BotStage, alice: Person) -> None:
    assert tell(stage, "joined_recording") == 204
    assert status(stage, alice) == "bot_joined"
    stage.world.db.execute("update bot_requests set status = 'bot_scheduled', is_shown = false")

    assert tell(stage, "joined_recording") == 204

    assert status(stage, alice) == "bot_scheduled"


def test_a_provider_there_is_not_is_said_so_and_bots_of_others_are_taken(stage: BotStage, alice: Person) -> None:
    assert_problem(post(stage, b"{}", {}, "zoom"), 404, "provider_unknown")
    foreign = {**message(stage, "ended"), "bot_id": "bot_of_another", "bot_metadata": {"theirs": "x"}}
    assert post(stage, *signing.attendee(foreign, stage.fake.secret)).status_code == 204
    assert json.loads(signing.attendee(foreign, stage.fake.secret)[0])["bot_id"] == "bot_of_another"
    assert status(stage, alice) == "bot_scheduled"
