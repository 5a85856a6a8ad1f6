"""A stop ends web and worker, whatever hangs; what they were at is anybody's at once, and comes to the same end as if
nothing had happened. That their times are less than the most hurried platforms give is held where they are deployed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest

from scripts.stack.bots import FakeServer
from scripts.stack.ports import free_port
from sync.jobs.events.courier import deliver_due
from sync.jobs.events.subscribe import subscribe
from tests.flows.bots.stage import BotStage, staged
from tests.flows.processes import gunicorn, worker
from tests.subscriber import Message, Subscriber, subscriber
from tests.world import TLS, Person, World, wait_until

# What hangs does so for a minute. Those that are told to end take nine seconds, and what a slow machine adds.
MOST_SECONDS = 40.0
# What waits for an answer that only the ended process could have told, keeps its lease.
LEASES_ARE_OVER = "update event_deliveries set next_attempt_at = now() where state = 'pending'"
STILL_HELD = (
    "select 1 from calendar_webhooks where lease_expires_at is not null union all select 1 from user_turns"
    " union all select 1 from calendar_webhooks where initial_sync = 'running'"
)


@pytest.fixture
def hanging() -> Iterator[Subscriber]:
    """Answers nobody while the test lasts."""
    let_go = threading.Event()

    def answer(_message: Message) -> int:
        let_go.wait(60)
        return 204

    with subscriber() as told:
        told.answer = answer
        yield told
        let_go.set()


def poll(world: World, port: int, person: Person) -> None:
    with suppress(httpx.HTTPError):
        httpx.post(
            f"http://127.0.0.1:{port}/functions/v1/calendar-polling-service",
            json={"userId": person.user_id, "force": True},
            headers={"Authorization": f"Bearer {world.supabase.service_key}"},
            timeout=60,
            verify=TLS,
        )


def test_what_hangs_is_given_back_and_comes_to_its_end_elsewhere(
    world: World, attendee: FakeServer, hanging: Subscriber
) -> None:
    stage, alice = staged(world, attendee)
    bob, carol = world.person("bob"), world.person("carol")
    for person in (bob, carol):
        world.connect(person)
    subscribe(world.services, hanging.url)
    # Alice's meeting waits for its bot and its message; Bob's calendar is listed for the first time; Carol asks.
    world.google.insert_event(alice.email, world.event("Standup"))
    stage_sync(stage, alice)
    for number in range(3):
        world.google.insert_event(bob.email, world.event(f"B{number}", hours=number + 2))
    world.google.insert_event(carol.email, world.event("C"))
    world.db.execute(
        "update calendar_webhooks set sync_token = null, last_synced_at = null, initial_sync = 'pending'"
        " where user_id = %s",
        (bob.user_id,),
    )
    world.make_due(bob)
    world.google.add_fault("small_pages", size=1)
    listing = world.google.add_fault("hold", method="events.list", calendar=bob.email, page=2)
    asked = world.google.add_fault("hold", method="events.list", calendar=carol.email)
    making = attendee.control.add_fault("hold", call="create", times=1)
    world.stop_service()

    port = free_port()
    with ExitStack() as running:
        web = running.enter_context(gunicorn(world, port, workers=2))
        driving = running.enter_context(worker(world))
        wait_until(lambda: "worker_started" in driving.log, "the worker is up")
        pool = running.enter_context(ThreadPoolExecutor(1))
        pool.submit(poll, world, port, carol)
        assert world.google.wait_held(listing)
        assert world.google.wait_held(asked)
        assert attendee.control.wait_held(making)
        wait_until(lambda: hanging.messages, "a message is under way")
        assert len(world.rows(STILL_HELD)) > 2
        began = time.monotonic()
        web.terminate()
        driving.terminate()
        assert (driving.wait(), web.wait()) == (0, 0), web.log + driving.log
        took = time.monotonic() - began

    assert took < MOST_SECONDS
    assert world.rows(STILL_HELD) == []
    for hold in (listing, asked):
        world.google.release(hold)
    attendee.control.release(making)
    world.google.clear_faults()
    for person in (bob, carol):
        assert world.calendar(person)["due_at"] <= world.rows("select clock_timestamp() as now")[0]["now"]
    hanging.answer = lambda _message: 204
    world.sweep()
    world.db.execute(LEASES_ARE_OVER)
    deliver_due(world.services, budget_seconds=10)
    stage.follow()
    for person in (alice, bob, carol):
        world.assert_equal(person)
    assert stage.bots() == stage.wished(alice, bob, carol)
    told = world.rows("select position, state from event_deliveries")
    assert {row["state"] for row in told} == {"delivered"}
    assert {message.id for message in hanging.accepted} == {f"evt_{row['position']}" for row in told}


def stage_sync(stage: BotStage, person: Person) -> None:
    """Their calendar is read, and what follows is left to whoever comes."""
    stage.world.make_due(person)
    stage.world.sweep()
    stage.world.assert_equal(person)
