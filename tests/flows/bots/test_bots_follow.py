"""The wished bot exists, and follows its meeting: moved, changed, declined, cancelled, restored. With each provider."""

from __future__ import annotations

import datetime as dt

from tests.flows.bots.stage import BotStage
from tests.world import Person

ROOM, OTHER = "https://zoom.us/j/5551234567", "https://zoom.us/j/5557654321"


def test_a_meeting_has_its_bot_and_shows_it(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)

    (bot,) = stage.alive()
    assert stage.bots() == stage.wished(alice)
    row = stage.meeting(alice)
    assert (row["bot_status"], row["bot_reason"]) == ("bot_scheduled", "join_rule")
    assert (row["bot_provider"], row["bot_id"]) == (stage.fake.kind, bot["id"])
    assert stage.calls("create", "find", "change", "remove") == 1


def test_nothing_is_asked_of_the_provider_while_nothing_changes(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)
    asked = len(stage.fake.control.requests())

    event = stage.world.google.insert_event(alice.email, stage.world.event("No room", location=None))
    stage.sync(alice)
    stage.world.google.patch_event(alice.email, event["id"], {"summary": "Other"})
    stage.sync(alice)

    assert len(stage.fake.control.requests()) == asked


def test_a_bot_follows_its_meeting(stage: BotStage, alice: Person) -> None:
    google, world = stage.world.google, stage.world
    event = google.insert_event(alice.email, world.event("Standup", hours=5))
    stage.sync(alice)
    start = world.now + dt.timedelta(hours=8)
    moved = {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": (start + dt.timedelta(hours=1)).isoformat()}}

    for change in (moved, {"location": OTHER}, {"status": "cancelled"}, {"status": "confirmed"}):
        google.patch_event(alice.email, event["id"], change)
        stage.sync(alice)
        assert stage.bots() == stage.wished(alice), change

    assert stage.bots().total() == 1
    google.delete_event(alice.email, event["id"])
    stage.sync(alice)
    assert stage.bots().total() == 0
    assert stage.meeting(alice)["bot_status"] == "cancelled"


def test_a_moved_meeting_keeps_its_bot(stage: BotStage, alice: Person) -> None:
    event = stage.world.google.insert_event(alice.email, stage.world.event("Standup", hours=5))
    stage.sync(alice)
    (before,) = stage.alive()
    start = stage.world.now + dt.timedelta(hours=9)
    end = start + dt.timedelta(hours=1)

    stage.world.google.patch_event(
        alice.email, event["id"], {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": end.isoformat()}}
    )
    stage.sync(alice)

    (after,) = stage.alive()
    assert after["id"] == before["id"]
    assert stage.bots() == stage.wished(alice)
    assert stage.calls("change") == 1


def test_the_users_own_word_comes_first(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)

    stage.world.db.execute("update meetings set bot_override = 'off'")
    stage.follow()
    assert stage.bots().total() == 0
    row = stage.meeting(alice)
    assert (row["bot_status"], row["bot_reason"]) == ("cancelled", "override_off")

    stage.world.db.execute("insert into bot_preferences (user_id, join_rule) values (%s, 'none')", (alice.user_id,))
    stage.world.db.execute("update meetings set bot_override = 'on'")
    stage.follow()
    assert stage.bots() == stage.wished(alice)

    stage.world.db.execute("update meetings set bot_override = null")
    stage.follow()
    assert stage.bots().total() == 0
    assert stage.meeting(alice)["bot_reason"] == "no_join_rule"


def test_statuses_come_back_and_never_go_backwards(stage: BotStage, alice: Person) -> None:
    words = {
        "attendee": ("joined_recording", "joining", "post_processing", "ended"),
        "recall": ("in_call_recording", "joining_call", "call_ended", "done"),
        "webhook": ("bot_joined", "bot_scheduled", "transcribing", "completed"),
    }[stage.fake.kind]
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)
    (bot,) = stage.alive()

    seen = []
    for word in words:
        stage.fake.control.set_state(bot["id"], word)
        stage.follow()
        seen.append(stage.meeting(alice)["bot_status"])

    assert seen == ["bot_joined", "bot_joined", "transcribing", "completed"]
    assert set(stage.messages()) == {"delivered"}
    assert stage.calls("create") == 1


def test_two_rooms_times_and_people_have_a_bot_each_and_one_room_at_one_time_has_one(stage: BotStage) -> None:
    alice, bob = stage.world.person(), stage.world.person("bob")
    for person in (alice, bob):
        stage.world.connect(person)
        stage.world.google.insert_event(person.email, stage.world.event("Shared", hours=3))
        stage.world.google.insert_event(person.email, stage.world.event("Later in that room", hours=6))
        stage.sync(person)
    assert stage.bots() == stage.wished(alice, bob)
    assert stage.bots().total() == 4

    for person in (alice, bob):
        stage.world.db.execute("insert into bot_tenants values (%s, 'acme')", (person.user_id,))
    stage.follow()

    assert sorted(stage.bots()) == sorted(stage.wished(alice))
    assert stage.bots().total() == 2


def test_a_lost_answer_makes_no_second_bot(stage: BotStage, alice: Person) -> None:
    stage.fake.control.add_fault("lost_answer", call="create", times=1)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)
    stage.follow()

    assert stage.bots() == stage.wished(alice)
    assert stage.meeting(alice)["bot_status"] == "bot_scheduled"


def test_deleting_the_user_removes_their_bots(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)
    assert stage.bots().total() == 1

    stage.world.db.execute("delete from auth.users where id = %s", (alice.user_id,))
    stage.follow()

    assert stage.bots().total() == 0


def test_lost_access_keeps_bots_for_its_grace_and_then_asks_the_preference(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Standup", hours=24 * 9))
    stage.sync(alice)

    stage.world.db.execute("update calendar_webhooks set access_lost_at = now() - interval '71 hours'")
    stage.follow()
    assert stage.bots() == stage.wished(alice)
    stage.world.db.execute("update calendar_webhooks set access_lost_at = now() - interval '73 hours'")
    stage.follow()
    assert stage.bots().total() == 0
    assert stage.meeting(alice)["bot_reason"] == "access_lost"

    keep = "insert into bot_preferences (user_id, join_rule, when_access_lost) values (%s, 'all', 'keep')"
    stage.world.db.execute(keep, (alice.user_id,))
    stage.follow()
    assert stage.bots() == stage.wished(alice)


def test_a_link_into_a_private_network_gets_no_bot(stage: BotStage, alice: Person) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.world.make_due(alice)
    stage.world.sweep()
    stage.world.db.execute("update meetings set meeting_url = 'https://10.0.0.7/room'")
    stage.follow()

    assert stage.calls("create") == 0
    row = stage.meeting(alice)
    assert (row["bot_status"], row["bot_reason"]) == ("failed", "refused_by_provider")
