"""Subscribers are told of what changed: signed, in order, at least once, and without waiting for one another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sync.clients.vault import SUBSCRIPTION_SECRET
from sync.event_model import FeedEvent
from sync.jobs.accounts.rotate_keys import Rotation, rotate_keys
from sync.jobs.driving.driver import Driver
from sync.jobs.driving.duties import Duty
from sync.jobs.events.courier import PER_SUBSCRIPTION, deliver_due
from sync.jobs.events.subscribe import change, subscribe
from sync.jobs.operations.retention import drop_old
from sync.jobs.services import Services
from sync.states import SubscriptionContent
from tests.jobs.accounts.test_rotate_keys import new_key
from tests.jobs.events.histories import run_history
from tests.subscriber import Message, Subscriber, subscriber
from tests.world import Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    """With one meeting."""
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Plan"), notify=False)
    world.connect(alice)
    return alice


@pytest.fixture
def told() -> Iterator[Subscriber]:
    with subscriber() as told:
        yield told


def retitle(world: World, title: str) -> None:
    world.db.execute("update meetings set title = %s", (title,))


def deliver(world: World) -> None:
    """Whatever waits, whatever its backoff."""
    world.db.execute("update event_deliveries set next_attempt_at = now() where state = 'pending'")
    world.db.execute("update event_subscriptions set not_before = null")
    deliver_due(world.services, budget_seconds=20)


def states(world: World) -> list[str]:
    return [row["state"] for row in world.rows("select state from event_deliveries order by position")]


def test_a_change_in_the_calendar_reaches_the_subscriber_signed(world: World, alice: Person, told: Subscriber) -> None:
    _, secret = subscribe(world.services, told.url)
    world.google.insert_event(alice.email, world.event("New"), notify=False)
    world.poll(alice)

    deliver(world)

    (message,) = told.messages
    assert message.is_signed_with(secret)
    (row,) = [meeting for meeting in world.meetings(alice) if meeting["title"] == "New"]
    data = message.body["data"]
    assert (message.body["type"], data["meeting_id"]) == ("meeting.created", str(row["id"]))
    assert data["link"] == f"{world.settings.supabase_url}/rest/v1/meetings?id=eq.{row['id']}"
    assert "New" not in message.raw.decode()
    assert states(world) == ["delivered"]


def test_content_is_sent_to_whoever_asked_for_it(world: World, alice: Person, told: Subscriber) -> None:
    subscribe(world.services, told.url, content=SubscriptionContent.FULL)
    retitle(world, "First")
    retitle(world, "Now")

    deliver(world)

    assert [message.body["data"]["row"]["title"] for message in told.messages] == ["Now", "Now"]


def test_one_that_fails_is_told_again_by_the_same_id(world: World, alice: Person, told: Subscriber) -> None:
    subscribe(world.services, told.url)
    told.answer = lambda _message: 500
    retitle(world, "First")
    retitle(world, "Second")
    deliver(world)
    assert len(told.messages) == 1
    told.answer = lambda _message: 204

    deliver(world)

    first, again, second = told.messages
    assert (first.id, first.raw) == (again.id, again.raw)
    assert second.id != first.id
    assert states(world) == ["delivered", "delivered"]


def test_a_process_that_dies_before_it_records_leads_to_the_same_message_twice(
    world: World, alice: Person, told: Subscriber
) -> None:
    subscribe(world.services, told.url)
    retitle(world, "First")
    world.supabase.fault("record_event_delivery", "http_500", times=100)
    deliver(world)
    assert (len(told.accepted), states(world)) == (1, ["pending"])
    world.supabase.clear_faults()

    deliver(world)

    assert len({message.id for message in told.accepted}) == 1
    assert len(told.accepted) == 2
    assert states(world) == ["delivered"]


def test_a_record_whose_answer_was_lost_is_no_second_message(world: World, alice: Person, told: Subscriber) -> None:
    subscribe(world.services, told.url)
    retitle(world, "First")
    world.supabase.fault("record_event_delivery", "drop_after", times=1)

    deliver(world)
    deliver(world)

    assert (len(told.messages), states(world)) == (1, ["delivered"])


def test_410_ends_a_subscription_and_nobody_else_notices(world: World, alice: Person, told: Subscriber) -> None:
    subscription_id, _ = subscribe(world.services, told.url)
    with subscriber([410]) as gone:
        gone_id, _ = subscribe(world.services, gone.url)
        retitle(world, "First")
        deliver(world)
        retitle(world, "Second")
        deliver(world)

    assert (len(gone.messages), len(told.accepted)) == (1, 2)
    standing = {row["id"]: (row["state"], row["state_reason"]) for row in world.services.store.subscriptions.read()}
    assert standing == {subscription_id: ("enabled", None), gone_id: ("disabled", "gone_410")}


def test_what_it_asked_for_is_kept_to(world: World, alice: Person, told: Subscriber) -> None:
    subscribe(world.services, told.url)
    told.answer = lambda _message: (429, {"Retry-After": "300"})
    retitle(world, "First")
    deliver(world)
    retitle(world, "Second")

    deliver_due(world.services, budget_seconds=20)

    assert len(told.messages) == 1
    (row,) = world.rows("select extract(epoch from not_before - now())::int as seconds from event_subscriptions")
    assert 290 <= row["seconds"] <= 300


def test_while_a_secret_is_rotated_both_are_good(world: World, alice: Person, told: Subscriber) -> None:
    subscription_id, old = subscribe(world.services, told.url)
    _, new = change(world.services, subscription_id, {}, rotate_secret=True)
    retitle(world, "First")

    deliver(world)

    (message,) = told.messages
    assert new is not None
    assert message.is_signed_with(old)
    assert message.is_signed_with(new)
    stored = world.rows("select secret, previous_secret from event_subscriptions")[0].values()
    assert not {old, new} & set(stored)


def test_a_slow_one_holds_nobody(world: World, alice: Person, told: Subscriber) -> None:
    """It holds as many attempts as one subscription may have, while the others of the process go on."""
    subscribe(world.services, told.url)
    with held_subscriber() as (slow, let_go):
        subscribe(world.services, slow.url)
        world.db.execute(
            "insert into meetings (user_id, title, start_time)"
            " select user_id, n::text, now() from calendar_webhooks, generate_series(1, 20) n"
        )
        with world.in_background(lambda: deliver_due(world.services, budget_seconds=30)):
            wait_until(lambda: len(told.accepted) == 20, "the quick one has heard all")
            wait_until(lambda: len(slow.messages) >= PER_SUBSCRIPTION, "the slow one has what it may have")
            assert len(slow.messages) == PER_SUBSCRIPTION
            let_go.set()
    assert len(slow.accepted) == 20


@contextmanager
def held_subscriber() -> Iterator[tuple[Subscriber, threading.Event]]:
    let_go = threading.Event()

    def answer(_message: Message) -> int:
        let_go.wait(60)
        return 204

    with subscriber() as slow:
        slow.answer = answer
        try:
            yield slow, let_go
        finally:
            let_go.set()


def test_what_a_sync_of_the_process_changed_is_told_at_once(world: World, alice: Person, told: Subscriber) -> None:
    """Not only at the next look, which is an hour away."""
    services = world.services_with(SWEEP_SECONDS="3600")
    driver = Driver(services)
    driver.start([Duty("nothing", 3600, lambda: None)])
    try:
        wait_until(lambda: world.rpcs().get("claim_event_deliveries"), "its first look")
        subscribe(services, told.url)
        world.google.insert_event(alice.email, world.event("New"), notify=False)
        world.make_due(alice)
        driver.sync_soon(world.calendar(alice)["id"])
        wait_until(lambda: told.types == ["meeting.created"], "it is told")
    finally:
        driver.stop_soon()
        driver.shut_down(10)


def test_the_polling_cron_delivers_too(world: World, alice: Person, told: Subscriber) -> None:
    subscribe(world.services, told.url)
    retitle(world, "First")

    assert world.post("/functions/v1/calendar-polling-cron").status_code == 200

    assert told.types == ["meeting.updated"]


def test_secrets_are_sealed_anew_with_the_tokens(world: World, told: Subscriber) -> None:
    subscription_id, secret = subscribe(world.services, told.url)
    change(world.services, subscription_id, {}, rotate_secret=True)
    both = world.services_with(TOKEN_ENCRYPTION_KEYS=f"{new_key()},{world.environment['TOKEN_ENCRYPTION_KEYS']}")

    assert rotate_keys(both.store, both.vault, lambda _: None) == Rotation(sealed=1)
    assert rotate_keys(both.store, both.vault, lambda _: None) == Rotation(current=1)

    endpoint = both.store.subscriptions.endpoint(subscription_id)
    assert endpoint is not None
    assert endpoint.previous_secret is not None
    assert both.vault.open(subscription_id, SUBSCRIPTION_SECRET, endpoint.previous_secret) == secret
    assert rotate_keys(world.services.store, world.services.vault, lambda _: None) == Rotation(unreadable=1)


def test_old_events_go_in_steps(world: World, alice: Person) -> None:
    world.services.store.feed.read(0, 0)
    world.db.execute("update change_events set occurred_at = now() - interval '31 days'")
    retitle(world, "Young")

    dropped = drop_old(world.services, budget_seconds=10)

    assert dropped.events == 2
    assert [event.type for event in feed(world.services)] == ["meeting.updated"]


def feed(services: Services) -> list[FeedEvent]:
    return list(services.store.feed.read(0, 1000).events)


@pytest.mark.parametrize("seed", [3, 7])
def test_over_a_random_history_nothing_is_lost_and_nothing_is_out_of_order(world: World, seed: int) -> None:
    """Of the attempts a third fail, answers of the database are lost, and processes die before they record."""
    events, attempts = run_history(world, seed)

    assert attempts > events > 10
