"""What a poll costs that finds nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from scripts.benchmarks.ground import Ground, ground
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, turn_about
from sync.jobs.driving.poll_due import poll_due
from sync.jobs.services import Services

# Polled at any time.
_STALE = {"POLL_STALE_HOURS": "0.01"}
_DUE = """
update calendar_webhooks set due_at = now() - interval '1 second', not_before = null, last_webhook_received = null
"""
GOOGLE_SECONDS = 0.1


def idle(size: Size) -> Iterator[Row]:
    with ground() as here:
        here.google.configure(push="drop")
        services = here.services(**_STALE)
        count = size.of(200, 4)
        for number in range(count):
            here.person(services, f"p{number}")
        poll_due(services, budget_seconds=120)
        (cores,) = turn_about(size.rounds, partial(_per_core, here, services, count))
        yield row_of("Google answers at once, one core of ours", "/s", cores, aim=500.0, better="higher")
        here.google.add_fault("slow", method="events.list", seconds=GOOGLE_SECONDS)
        (walls,) = turn_about(size.rounds, partial(_per_second, here, services, count))
        threads = services.settings.sync_threads
        floor = [min(threads, count) / GOOGLE_SECONDS]
        yield row_of(
            f"Google takes 100 ms, {threads} threads", "/s", walls, floor, aim=167.0, better="higher", is_of_ratio=False
        )


def _per_core(here: Ground, services: Services, count: int) -> float:
    here.db.execute(_DUE.encode())
    began = time.process_time()
    _poll(services, count)
    return count / (time.process_time() - began)


def _per_second(here: Ground, services: Services, count: int) -> float:
    here.db.execute(_DUE.encode())
    began = time.perf_counter()
    _poll(services, count)
    return count / (time.perf_counter() - began)


def _poll(services: Services, count: int) -> None:
    outcomes = poll_due(services, budget_seconds=120).outcomes
    if len(outcomes) != count or {str(each.status) for each in outcomes} != {"completed"}:
        raise RuntimeError(f"{len(outcomes)} of {count} were polled: {outcomes[:1]}")


MEASURES = (
    Measure("idle", "polls that find nothing, in one process", "threads by Google's time, where it takes some", idle),
)
