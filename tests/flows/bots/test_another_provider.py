"""When other settings are deployed, wishes are decided by them: another provider, another rule, another name."""

from __future__ import annotations

from scripts.stack.bots import FakeServer
from scripts.stack.environment import bot_provider
from sync.jobs.bots.follow_bots import follow_bots
from sync.jobs.services import build_services
from sync.settings import load
from tests.flows.bots.stage import BotStage, staged
from tests.world import World


def follow_with(stage: BotStage, chosen: FakeServer) -> None:
    """As a process does that has another provider's name, and the keys of both."""
    services = build_services(load({**stage.world.environment, **bot_provider(chosen)}))
    for _ in range(2):
        stage.hasten()
        follow_bots(services)


def test_scheduled_bots_move_to_the_provider_that_is_chosen(
    world: World, attendee: FakeServer, recall: FakeServer
) -> None:
    stage, alice = staged(world, attendee)
    for hours in (3, 30):
        world.google.insert_event(alice.email, world.event("Standup", hours=hours))
    stage.sync(alice)
    wished = stage.bots()

    follow_with(stage, recall)

    assert stage.alive() == []
    assert BotStage.bots_of(recall) == wished
    assert {(row["bot_provider"], row["bot_status"]) for row in world.meetings(alice)} == {("recall", "bot_scheduled")}
    asked = len(recall.control.requests()), len(attendee.control.requests())
    follow_with(stage, recall)
    assert asked == (len(recall.control.requests()), len(attendee.control.requests()))


def test_a_bot_that_is_in_its_call_stays(world: World, attendee: FakeServer, recall: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    world.google.insert_event(alice.email, world.event("Now", hours=-0.5))
    stage.sync(alice)
    (bot,) = stage.alive()
    attendee.control.set_state(bot["id"], "joined_recording")
    stage.follow()

    follow_with(stage, recall)
    world.db.execute("update meetings set bot_override = 'on'")
    follow_with(stage, recall)

    assert [each["id"] for each in stage.alive()] == [bot["id"]]
    assert recall.control.bots() == []


def test_other_settings_take_force_once_nobody_works_by_the_former_ones(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    world.google.insert_event(alice.email, world.event("Standup"))
    stage.sync(alice)
    services = build_services(load({**world.environment, **bot_provider(attendee), "BOT_JOIN_RULE": "none"}))

    follow_bots(services)
    assert stage.bots().total() == 1
    # The last process that said so was ended a while ago.
    world.db.execute("update bot_providers set policy_said_at = now() - interval '2 minutes'")
    follow_bots(services)

    assert stage.bots().total() == 0
    assert stage.meeting(alice)["bot_reason"] == "no_join_rule"
    (policy,) = world.rows("select policy from bot_providers")
    follow_bots(world.services)
    assert world.rows("select policy from bot_providers") == [policy]
