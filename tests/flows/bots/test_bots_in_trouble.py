"""What providers refuse and lose, and processes that die: still one bot, where and when it is wanted."""

from __future__ import annotations

import datetime as dt
import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from structlog.testing import capture_logs

from scripts.stack.bots import FakeServer
from sync.jobs.accounts.disconnect import disconnect
from sync.jobs.bots.follow_bots import follow_bots
from sync.jobs.bots.reconcile_bots import reconcile_bots
from tests.flows.bots.mortal import Died, mortal
from tests.flows.bots.stage import BotStage, span, staged
from tests.world import TLS, JsonObject, Person, World


def request_of(stage: BotStage) -> JsonObject:
    (row,) = stage.world.rows("select * from bot_requests where not is_left_behind")
    return row


def due_now(stage: BotStage) -> None:
    """The request's own wait is over; its provider's pause is not."""
    stage.world.db.execute("update bot_requests set due_at = now() where due_at is not null")


def test_a_process_that_dies_at_any_step_leaves_no_second_bot(stage: BotStage, alice: Person) -> None:
    event = stage.world.google.insert_event(alice.email, stage.world.event("Standup", hours=5))
    for hours in (6, 7, 8):
        stage.world.google.patch_event(alice.email, event["id"], span(stage.world, hours))
        stage.world.make_due(alice)
        stage.world.sweep()
        for seed in range(4):
            stage.hasten()
            with pytest.raises(Died):
                follow_bots(mortal(stage.world.services, random.Random(seed), chance=0.9))
    stage.follow()

    assert stage.bots() == stage.wished(alice)
    assert stage.bots().total() == 1


def test_a_change_that_nobody_heard_of_is_taken_back(stage: BotStage, alice: Person) -> None:
    first = span(stage.world, 5)
    event = stage.world.google.insert_event(alice.email, stage.world.event("Standup") | first)
    stage.sync(alice)
    stage.world.google.patch_event(alice.email, event["id"], span(stage.world, 9))
    stage.world.make_due(alice)
    stage.world.sweep()
    stage.world.supabase.fault("record_bot_delivery", "drop_before", times=4)
    follow_bots(stage.world.services)

    stage.world.google.patch_event(alice.email, event["id"], first)
    stage.sync(alice)

    assert stage.bots() == stage.wished(alice)


def test_a_provider_that_is_down_costs_probes_and_no_attempt(stage: BotStage, alice: Person) -> None:
    for hours in range(3, 11):
        stage.world.google.insert_event(alice.email, stage.world.event(f"Standup {hours}", hours=hours))
    stage.world.make_due(alice)
    stage.world.sweep()
    stage.fake.control.add_fault("status", status=503)
    follow_bots(stage.world.services)
    (attempts,) = {row["attempts"] for row in stage.world.rows("select max(attempts) as attempts from bot_requests")}
    calls = len(stage.fake.control.requests())

    for _ in range(5):
        stage.world.db.execute("update bot_providers set not_before = now()")
        due_now(stage)
        follow_bots(stage.world.services)

    assert len(stage.fake.control.requests()) <= calls + 1
    assert stage.world.rows("select max(attempts) as attempts from bot_requests")[0]["attempts"] <= attempts + 1
    assert stage.world.rows("select 1 from bot_requests where dead_at is not null") == []


def test_a_creation_that_nobody_heard_of_is_no_second_bot_when_something_else_is_wished(
    stage: BotStage, alice: Person
) -> None:
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.fake.control.add_fault("lost_answer", call="create", times=1)
    stage.world.make_due(alice)
    stage.world.sweep()
    follow_bots(stage.world.services)

    wish = "insert into bot_preferences (user_id, join_rule, bot_name) values (%s, 'all', 'Minutes')"
    stage.world.db.execute(wish, (alice.user_id,))
    stage.follow()

    (bot,) = stage.alive()
    assert bot["wish"]["bot_name"] == "Minutes"


def test_a_bot_whose_id_was_not_heard_still_tells_how_it_is(stage: BotStage, alice: Person) -> None:
    stage.fake.control.add_fault("foreign_answer", call="create", times=1)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)
    (bot,) = stage.alive()
    joined = {"attendee": "joined_recording", "recall": "in_call_recording", "webhook": "bot_joined"}

    stage.fake.control.set_state(bot["id"], joined[stage.fake.kind])
    stage.follow()

    row = stage.meeting(alice)
    assert (row["bot_status"], row["bot_id"]) == ("bot_joined", bot["id"])


def test_two_processes_at_once_make_one_bot(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    for hours in range(2, 8):
        stage.world.google.insert_event(alice.email, stage.world.event("Standup", hours=hours))
    stage.world.make_due(alice)
    stage.world.sweep()
    services = [stage.world.services, *(stage.world.services_with() for _ in range(2))]

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(follow_bots, services))
    stage.follow()

    assert stage.bots() == stage.wished(alice)
    assert stage.calls("create") == stage.bots().total() == 6


def test_a_throttled_provider_is_left_alone_for_as_long_as_it_says_and_nothing_else_waits(
    world: World, recall: FakeServer
) -> None:
    stage, alice = staged(world, recall)
    stage.fake.control.add_fault("throttled", call="create", times=1, retry_after=120.0)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.world.make_due(alice)
    stage.world.sweep()
    follow_bots(stage.world.services)
    due_now(stage)
    follow_bots(stage.world.services)

    assert stage.calls("create") == 1
    (pause,) = stage.world.rows("select not_before - now() as left, last_error_code from bot_providers")
    assert dt.timedelta(seconds=100) < pause["left"] <= dt.timedelta(seconds=120)
    assert pause["last_error_code"] == "throttled"
    stage.world.google.insert_event(alice.email, stage.world.event("Other", hours=8))
    stage.world.make_due(alice)
    assert [outcome.status for outcome in stage.world.sweep().outcomes] == ["completed"]

    stage.follow()
    assert stage.bots() == stage.wished(alice)


def test_a_rejected_key_keeps_every_wish_and_is_said_to_the_operator(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.world.make_due(alice)
    stage.world.sweep()
    stage.fake.control.add_fault("refused", status=401)
    with capture_logs() as lines:
        for _ in range(3):
            stage.hasten()
            follow_bots(stage.world.services)

    assert stage.world.services.operator_faults.current() == ["key_rejected"]
    assert sum(line["event"] == "misconfigured" for line in lines) <= 1
    row = request_of(stage)
    assert (row["wanted"], row["dead_at"], row["last_error_code"]) == (True, None, "key_rejected")

    stage.fake.control.clear_faults()
    stage.follow()
    assert stage.bots() == stage.wished(alice)


@pytest.mark.parametrize("kind", ["no_credit", "too_many_bots", "internal_error"])
def test_attendees_400s_that_are_not_about_the_bot_pass(world: World, attendee: FakeServer, kind: str) -> None:
    stage, alice = staged(world, attendee)
    stage.fake.control.add_fault(kind, call="create", times=2)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)
    assert request_of(stage)["dead_at"] is None
    stage.follow()

    assert stage.bots() == stage.wished(alice)


def test_a_bot_that_is_refused_for_good_is_shown_logged_and_tried_again_once_the_meeting_changes(
    world: World, attendee: FakeServer
) -> None:
    stage, alice = staged(world, attendee)
    event = stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.world.make_due(alice)
    stage.world.sweep()
    stage.fake.control.add_fault("refused", call="create", status=422, times=1)
    with capture_logs() as lines:
        stage.follow()

    row = stage.meeting(alice)
    assert (row["bot_status"], row["bot_reason"]) == ("failed", "refused_by_provider")
    assert [line["log_level"] for line in lines if line["event"] == "bot_refused"] == ["error"]
    assert stage.calls("create") == 1

    stage.world.google.patch_event(alice.email, event["id"], span(stage.world, 7))
    stage.sync(alice)
    assert stage.bots() == stage.wished(alice)


def test_an_empty_pool_is_asked_again_under_another_key(world: World, recall: FakeServer) -> None:
    stage, alice = staged(world, recall)
    recall.control.add_fault("pool_empty", call="create", times=1)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)

    assert request_of(stage)["attempt_series"] == 2
    assert stage.bots() == stage.wished(alice)


def test_googles_trouble_touches_no_bot(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)
    asked = len(stage.fake.control.requests())

    stage.world.google.add_fault("quota_exceeded")
    stage.world.make_due(alice)
    stage.world.sweep()
    stage.follow()

    assert len(stage.fake.control.requests()) == asked
    assert stage.bots().total() == 1


def test_disconnecting_removes_bots(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    stage.world.google.insert_event(alice.email, stage.world.event("Standup"))
    stage.sync(alice)

    disconnect(stage.world.services, alice.user_id, "keep")
    stage.follow()

    assert stage.bots().total() == 0
    row = stage.meeting(alice)
    assert (row["bot_status"], row["bot_reason"]) == ("cancelled", "meeting_cancelled")


@pytest.mark.parametrize("seconds", [-900, 900])
def test_a_process_whose_clock_is_off_misses_what_is_gone_and_nothing_else(
    world: World, attendee: FakeServer, seconds: int
) -> None:
    stage, alice = staged(world, attendee)
    for hours in (5, 6):
        world.google.insert_event(alice.email, world.event("Standup", hours=hours))
    stage.sync(alice)
    services = world.services_with(clock_off_seconds=seconds)
    assert reconcile_bots(services)["missing"] == 0

    # Somebody removes one at the provider's own page.
    sign_in = {"Authorization": f"Token {attendee.api_key}"}
    httpx.delete(f"{attendee.api_url}/bots/{stage.alive()[0]['id']}", headers=sign_in, timeout=60, verify=TLS)
    assert reconcile_bots(services)["missing"] == 1
    stage.follow()
    assert stage.bots() == stage.wished(alice)
