"""Suspicious requests: counted in memory, stored in batches, repeated when the store did not take them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest
import structlog

from sync.jobs.operations.security_events import ALERT_AT, BATCH_ROWS, FLUSH_SECONDS, PURGE_SECONDS, SecurityEvents
from tests.world import World


class Timer:
    """Keeps what it is to run later; the test says when that is."""

    def __init__(self) -> None:
        self.queued: list[tuple[str, Callable[[], float | None], float]] = []

    def run_later(self, key: str, task: Callable[[], float | None], delay_seconds: float) -> bool:
        self.queued.append((key, task, delay_seconds))
        return True


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def events(world: World, timer: Timer) -> SecurityEvents:
    world.db.execute("truncate security_events")
    return SecurityEvents(world.services, timer)


@pytest.fixture
def log(world: World) -> Iterator[io.StringIO]:
    before = structlog.get_config()
    lines = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(file=lines),
        cache_logger_on_first_use=False,
    )
    yield lines
    structlog.configure(**before)


def stored(world: World) -> dict[tuple[str, str], int]:
    rows = world.rows("select kind, address_prefix, sum(count)::int as count from security_events group by 1, 2")
    return {(row["kind"], row["address_prefix"]): row["count"] for row in rows}


def test_a_thousand_refusals_cost_no_call_and_then_one(world: World, events: SecurityEvents, timer: Timer) -> None:
    world.supabase.reset_counters()
    for _ in range(1000):
        events.note("forged_notification", "203.0.113.0/24")
    assert world.supabase.counters() == {}
    ((key, task, delay),) = timer.queued
    assert (key, delay) == ("security_events", FLUSH_SECONDS)

    assert task() == PURGE_SECONDS

    assert world.supabase.counters() == {"rpc/record_security_events": 1}
    assert stored(world) == {("forged_notification", "203.0.113.0/24"): 1000, ("forged_notification", "*"): 0}


def test_what_the_store_did_not_take_is_sent_again_and_counts_once(world: World, events: SecurityEvents) -> None:
    events.note("bad_jwt", "203.0.113.0/24")
    world.supabase.fault("record_security_events", "drop_after")
    assert events.flush() == FLUSH_SECONDS
    events.note("bad_jwt", "203.0.113.0/24")
    world.supabase.fault("record_security_events", "http_500")
    assert events.flush() == FLUSH_SECONDS

    assert events.flush() == FLUSH_SECONDS  # the lost batch; what came since waits for the next
    assert events.flush() == PURGE_SECONDS
    assert stored(world) == {("bad_jwt", "203.0.113.0/24"): 2}


def test_memory_is_bounded_whatever_networks_come(world: World, events: SecurityEvents) -> None:
    for number in range(BATCH_ROWS * 3):
        events.note("bad_jwt", f"10.{number // 256}.{number % 256}.0/24")
    events.flush()

    counted = stored(world)
    assert sum(counted.values()) == BATCH_ROWS * 3
    assert counted["bad_jwt", "*"] == BATCH_ROWS * 2


def test_an_alert_is_told_once(world: World, log: io.StringIO, timer: Timer) -> None:
    world.db.execute("truncate security_events")
    events = SecurityEvents(world.services_with(), timer)
    for _ in range(3):
        for _ in range(ALERT_AT):
            events.note("refused_key", "203.0.113.0/24")
        events.flush()

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["event"], line["kind"], line["seen"]) for line in lines] == [
        ("security_alert", "refused_key", ALERT_AT)
    ]


def test_what_the_store_refuses_for_good_does_not_hold_up_what_follows(world: World, events: SecurityEvents) -> None:
    events.note("x" * 41, "203.0.113.0/24")
    assert events.flush() == PURGE_SECONDS
    events.note("bad_jwt", "203.0.113.0/24")
    events.flush()

    assert stored(world) == {("bad_jwt", "203.0.113.0/24"): 1}


def test_at_shutdown_the_rest_is_stored_and_nothing_when_nothing_is_left(world: World, events: SecurityEvents) -> None:
    world.supabase.reset_counters()
    events.close()
    assert world.supabase.counters() == {}
    events.note("bad_jwt", "203.0.113.0/24")
    events.close()
    events.close()

    assert stored(world) == {("bad_jwt", "203.0.113.0/24"): 1}
    assert world.supabase.counters() == {"rpc/record_security_events": 1}
