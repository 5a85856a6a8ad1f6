"""Random histories of meetings with a subscriber that fails a third of the time, and what it must hear in the end.

The suite runs a few; by hand, for more:

    .venv/bin/python -m tests.jobs.events.histories FIRST_SEED COUNT
"""

from __future__ import annotations

import datetime as dt
import random
import sys
from collections import defaultdict

from scripts.stack.environment import google_addresses
from scripts.stack.google.control import GoogleControl
from scripts.stack.google.server import EmulatorServer
from scripts.stack.supabase import LocalSupabase
from sync.core.events.bodies import event_id, position_of
from sync.event_model import FeedEvent
from sync.jobs.events.courier import deliver_due
from sync.jobs.events.subscribe import subscribe
from sync.jobs.services import Services
from tests.subscriber import Message, Reply, Subscriber, subscriber
from tests.world import World

FAILURES: tuple[Reply, ...] = (500, 404, 302, (429, {"Retry-After": "600"}), 504, (503, {"Retry-After": "1"}))


def run_history(world: World, seed: int, *, meetings: int = 6, steps: int = 12) -> tuple[int, int]:
    """Changes, attempts at telling, kills and lost answers in a random order, then peace. Asserts that each event was
    accepted, and of each meeting in its order. (events, attempts)."""
    chance = random.Random(seed)
    services = world.services
    user_id = world.supabase.create_user(f"history{seed}@example.com")
    (row,) = world.rows(
        "insert into calendar_webhooks (user_id, google_calendar_id) values (%s, 'primary') returning id", user_id
    )
    first = services.store.feed.read(0, 0).last
    with subscriber() as told:
        told.answer = lambda _message: chance.choice(FAILURES) if chance.random() < 1 / 3 else 204
        subscribe(services, told.url)
        for _ in range(steps):
            for _ in range(chance.randrange(1, 5)):
                _change(world, chance, user_id, row["id"], chance.randrange(meetings))
            if chance.random() < 0.3:
                world.supabase.fault("record_event_delivery", chance.choice(("drop_after", "http_500")), times=3)
            if chance.random() < 0.2:
                world.supabase.fault("claim_event_deliveries", "drop_after", times=1)
            _attempt(world, services)
        told.answer = lambda _message: 204
        world.supabase.clear_faults()
        for _ in range(50):
            _attempt(world, services)
            if not world.rows("select 1 from event_deliveries where state = 'pending'"):
                break
        _check(world, services.store.feed.read(first, 1000).events, told)
        return len({message.id for message in told.accepted}), len(told.messages)


def _change(world: World, chance: random.Random, user_id: str, calendar_id: str, number: int) -> None:
    event = f"m{number}"
    known = world.rows(
        "select status from meetings where user_id = %s and google_calendar_event_id = %s", user_id, event
    )
    if not known:
        world.db.execute(
            "insert into meetings (user_id, calendar_id, google_calendar_event_id, title, start_time)"
            " values (%s, %s, %s, 'New', now())",
            (user_id, calendar_id, event),
        )
        return
    change = chance.choice(
        ("title = title || '.'", "status = 'cancelled'", "status = 'confirmed'", "bot_status = 'failed'")
    )
    world.db.execute(
        f"update meetings set {change} where user_id = %s and google_calendar_event_id = %s".encode(), (user_id, event)
    )


def _attempt(world: World, services: Services) -> None:
    """All that waits is due: no pause, no backoff, and whoever held a lease was killed."""
    world.db.execute("update event_deliveries set next_attempt_at = now(), tries = 0 where state = 'pending'")
    world.db.execute("update event_subscriptions set not_before = null")
    deliver_due(services, budget_seconds=20)


def _check(world: World, events: tuple[FeedEvent, ...], told: Subscriber) -> None:
    accepted = _first_of_each(told.accepted)
    assert {message.id for message in accepted} == {event_id(event.position) for event in events}
    order = defaultdict(list)
    for message in accepted:
        data = message.body["data"]
        order[data.get("meeting_id") or data["calendar_id"]].append(position_of(message.id))
    for key, positions in order.items():
        assert positions == sorted(positions, key=lambda position: position or 0), key
    assert not world.rows("select 1 from event_deliveries where state <> 'delivered'")


def _first_of_each(messages: list[Message]) -> list[Message]:
    seen: set[str] = set()
    return [message for message in messages if not (message.id in seen or seen.add(message.id))]  # type: ignore[func-returns-value]


def main() -> None:
    first, count = (int(each) for each in sys.argv[1:3])
    began = dt.datetime.now(dt.UTC)
    with LocalSupabase() as supabase, EmulatorServer() as emulator:
        google = GoogleControl(emulator.url)
        world = World(
            supabase, google, {**supabase.environment(google_addresses(google.base_url)), "LOG_LEVEL": "error"}
        )
        totals = [0, 0]
        for seed in range(first, first + count):
            world.db.execute("delete from auth.users; delete from event_subscriptions; delete from change_events")
            events, attempts = run_history(world, seed)
            totals = [totals[0] + events, totals[1] + attempts]
        print(f"{count} histories, {totals[0]} events, {totals[1]} attempts, {dt.datetime.now(dt.UTC) - began}")  # noqa: T201
        world.close()


if __name__ == "__main__":
    main()
