"""Near its meeting a bot cannot be had, changed or removed as it was before."""

from __future__ import annotations

import datetime as dt

import pytest

from scripts.stack.bots import FakeServer
from tests.flows.bots.stage import BotStage, span, staged
from tests.world import Person, World


def seconds_to_joining(stage: BotStage) -> float:
    (bot,) = stage.alive()
    at = dt.datetime.fromisoformat(bot["join_at"])
    return (at - dt.datetime.fromisoformat(stage.fake.control.now())).total_seconds()


def is_for_now(stage: BotStage) -> bool:
    """Its provider was given no time, or one that is past."""
    (bot,) = stage.alive()
    return bot["join_at"] is None or seconds_to_joining(stage) <= 0


def test_a_meeting_known_minutes_before_its_time_has_its_bot_in_time(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Soon", hours=0.1))
    stage.sync(alice)

    assert stage.bots() == stage.wished(alice)


def test_a_meeting_known_during_its_time_has_its_bot_at_once(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Now", hours=-0.5))
    stage.sync(alice)

    assert is_for_now(stage)


def test_a_meeting_known_after_its_end_has_none(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    stage.world.google.insert_event(alice.email, stage.world.event("Over", hours=-3))
    stage.sync(alice)

    assert stage.calls("create") == 0
    assert stage.meeting(alice)["bot_status"] == "pending"


def test_a_meeting_that_is_moved_into_the_past_has_its_bot_removed(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    event = stage.world.google.insert_event(alice.email, stage.world.event("Standup", hours=5))
    stage.sync(alice)
    assert stage.bots().total() == 1

    stage.world.google.patch_event(alice.email, event["id"], span(stage.world, -4))
    stage.sync(alice)

    assert stage.bots().total() == 0
    row = stage.meeting(alice)
    assert (row["bot_status"], row["bot_reason"]) == ("cancelled", "meeting_over")


def test_a_meeting_that_is_over_keeps_the_bot_that_works_on_it(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    event = stage.world.google.insert_event(alice.email, stage.world.event("Long", hours=-1, minutes=120))
    stage.sync(alice)
    (bot,) = stage.alive()

    end = stage.world.now - dt.timedelta(minutes=1)
    stage.world.google.patch_event(alice.email, event["id"], {"end": {"dateTime": end.isoformat()}})
    stage.sync(alice)

    assert [each["id"] for each in stage.alive()] == [bot["id"]]


def test_a_meeting_that_moves_while_its_bot_is_staged_gets_another_and_the_old_one_leaves_as_it_joins(
    world: World, attendee: FakeServer
) -> None:
    stage, alice = staged(world, attendee)
    event = world.google.insert_event(alice.email, world.event("Standup", hours=3))
    stage.sync(alice)
    attendee.control.advance(seconds_to_joining(stage) - 120)
    assert [bot["state"] for bot in stage.alive()] == ["staged"]

    world.google.patch_event(alice.email, event["id"], span(world, 9))
    stage.sync(alice)
    old, new = stage.alive()
    assert (old["state"], new["key"]) == ("staged", old["key"].replace(".1", ".2"))

    attendee.control.advance(121)
    stage.follow()
    assert stage.bots() == stage.wished(alice)
    (gone,) = attendee.control.bots(alive=False)
    assert (gone["id"], gone["removed"]) == (old["id"], "left")
    assert stage.meeting(alice)["bot_id"] == new["id"]


def test_a_meeting_that_moves_in_recalls_last_ten_minutes_gets_another_and_the_old_one_leaves(
    world: World, recall: FakeServer
) -> None:
    stage, alice = staged(world, recall)
    event = world.google.insert_event(alice.email, world.event("Standup", hours=3))
    stage.sync(alice)
    recall.control.advance(seconds_to_joining(stage) - 300)

    world.google.patch_event(alice.email, event["id"], span(world, 9))
    stage.sync(alice)

    assert stage.bots() == stage.wished(alice)
    assert [bot["removed"] for bot in recall.control.bots()] == ["left", None]


def test_a_meeting_that_moves_forward_to_now_gets_a_bot_at_once(stage: BotStage, alice: Person) -> None:
    event = stage.world.google.insert_event(alice.email, stage.world.event("Standup", hours=5))
    stage.sync(alice)

    stage.world.google.patch_event(alice.email, event["id"], span(stage.world, 0))
    stage.sync(alice)

    assert is_for_now(stage)


def test_a_meeting_that_moves_while_it_goes_on_keeps_its_bot_or_gets_another_if_that_has_left(
    world: World, recall: FakeServer
) -> None:
    stage, alice = staged(world, recall)
    event = world.google.insert_event(alice.email, world.event("Now", hours=-0.9))
    stage.sync(alice)
    (bot,) = stage.alive()
    # Nothing of what it does is heard.
    recall.control.configure(drop_rate=1.0)
    recall.control.set_state(bot["id"], "in_call_recording")
    world.google.patch_event(alice.email, event["id"], span(world, -0.5))
    stage.sync(alice)
    assert [each["id"] for each in stage.alive()] == [bot["id"]]

    recall.control.set_state(bot["id"], "done")
    world.google.patch_event(alice.email, event["id"], span(world, -0.2))
    stage.sync(alice)

    assert is_for_now(stage)
    (row,) = world.meetings(alice)
    assert (row["bot_status"], row["bot_id"]) == ("bot_scheduled", stage.alive()[0]["id"])


@pytest.mark.parametrize("seconds_before", [3000, 300])
def test_a_page_in_the_place_of_an_answer_removes_no_bot(world: World, recall: FakeServer, seconds_before: int) -> None:
    stage, alice = staged(world, recall)
    world.google.insert_event(alice.email, world.event("Standup", hours=3))
    stage.sync(alice)
    recall.control.advance(seconds_to_joining(stage) - seconds_before)
    recall.control.add_fault("foreign_answer", call="remove", times=1)

    world.db.execute("update meetings set bot_override = 'off'")
    stage.follow()

    assert stage.alive() == []


def test_a_bot_that_was_taken_to_be_gone_and_is_not_is_removed(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    world.google.insert_event(alice.email, world.event("Standup"))
    stage.sync(alice)
    world.db.execute("update bot_wishes set wanted = false, reason = 'override_off'")
    world.db.execute("update bot_requests set wanted = false, status = 'cancelled'")

    assert stage.reconcile()["doubled"] == 1
    stage.follow()

    assert stage.alive() == []
    assert stage.reconcile() == dict.fromkeys(("taken", "doubled", "differing", "missing"), 0)
