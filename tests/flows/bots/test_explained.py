"""GET /functions/v1/explain tells of a meeting's bot: from its wish to what the provider last said."""

from __future__ import annotations

import httpx

from scripts.stack.bots import FakeServer
from sync.jobs.bots.follow_bots import follow_bots
from tests.flows.bots.stage import BotStage, staged
from tests.world import TLS, Person, World


def because(stage: BotStage, person: Person) -> dict[str, str]:
    """What is said of the bot: code and text of each step."""
    answer = httpx.get(
        f"{stage.world.service.url}/functions/v1/explain",
        params={"meeting": str(stage.meeting(person)["id"])},
        headers={"Authorization": f"Bearer {stage.world.supabase.service_key}"},
        timeout=60,
        verify=TLS,
    )
    assert answer.status_code == 200, answer.text
    steps = answer.json()["explanations"][0]["because"]
    return {step["code"]: step["text"] for step in steps if step["code"].startswith("bot_")}


def test_a_meetings_bot_is_explained_at_every_turn(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    attendee.control.add_fault("status", call="create", times=1)
    world.google.insert_event(alice.email, world.event("Standup"))
    world.make_due(alice)
    world.sweep()
    assert list(because(stage, alice)) == ["bot_undecided"]

    follow_bots(world.services)
    assert list(because(stage, alice)) == ["bot_join_rule", "bot_retried", "bot_is_pending"]
    stage.follow()
    (bot,) = stage.alive()
    told = because(stage, alice)
    assert list(told) == ["bot_join_rule", "bot_is_bot_scheduled"]
    assert bot["id"] in told["bot_is_bot_scheduled"]

    attendee.control.set_state(bot["id"], "joined_recording")
    stage.follow()
    assert "In its words: joined_recording." in because(stage, alice)["bot_is_bot_joined"]

    world.db.execute("update meetings set bot_override = 'off'")
    stage.follow()
    assert next(iter(because(stage, alice))) == "bot_override_off"
    assert list(because(stage, alice))[-1] == "bot_is_cancelled"


def test_a_meeting_without_a_bot_says_why(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee, BOT_JOIN_RULE="none")
    world.google.insert_event(alice.email, world.event("Standup"))
    stage.sync(alice)

    assert list(because(stage, alice)) == ["bot_no_join_rule"]


def test_without_a_provider_nothing_is_said_of_bots(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.insert_event(alice.email, world.event("Standup"))
    world.await_equal(alice)
    (row,) = world.meetings(alice)

    assert world.services.store.bots.explain(str(row["id"])) is None
