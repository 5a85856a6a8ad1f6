"""Every claim, sweep and figure that the service's loops ask for, with a million calendars against a thousand.

Each call is made in turns in both, in a transaction that is rolled back, as the service makes it: with nothing due,
with as much waiting in both, and with all calendars due at once, as after an outage. Of each the state is told in which
a million cost the most against a thousand: by the quickest of the rounds, for whatever else the machine does only
adds, and by pages read, which nothing blurs. An index of a million rows is two pages higher than one of a thousand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg

from scripts.benchmarks.large_databases import STATES, Database, databases
from scripts.benchmarks.measuring import Measure, Row, Size
from scripts.benchmarks.scale_calls import CALLS, Call

SMALL, LARGE = 1000, 1_000_000
# As many in both, as of few calendars that are watched for long: what a step looks at is no small table's whole.
LOGS = 100_000
MOST = 1.5
# Below this a ratio is the clock's and the caches', and no loop notices: it is told without an aim.
NOISE_MS = 0.2
ENOUGH_MS = 200.0
WARM_UP = 6


def scale(size: Size) -> Iterator[Row]:
    worst: dict[str, Row] = {}
    with databases(SMALL, size.of(LARGE, 2000), logs=size.of(LOGS, 1000), with_meetings=1) as pair:
        for state in STATES:
            for each in pair:
                each.come_to(state)
            for call in CALLS:
                row = compared(pair, call, state, size.rounds)
                worst[call.name] = max(row, worst.get(call.name, row), key=_cost)
    yield from worst.values()


def _cost(row: Row) -> tuple[bool, float]:
    return row.is_met is False, row.ratio or 0.0


def compared(pair: list[Database], call: Call, state: str, rounds: int) -> Row:
    took: list[list[float]] = [[] for _ in pair]
    for each in pair:
        each.sweep()
    # Of a connection's first calls each is planned anew, before Postgres decides for how long a plan is kept.
    for each in pair * WARM_UP:
        milliseconds(each.service, call)
    # A quick one is asked more often: of few rounds none may be undisturbed.
    while len(took[1]) < rounds or (len(took[1]) < 6 * rounds and sum(took[1]) < ENOUGH_MS):
        for times, each in zip(took, pair, strict=True):
            times.append(milliseconds(each.service, call))
    floor, ours = min(took[0]), min(took[1])
    few, many = (pages(each.service, call) for each in pair)
    return Row(
        f"{call.name}: {state}, {few} → {many} pages",
        "ms",
        ours,
        ours,
        max(took[1]),
        floor,
        aim=MOST if ours - floor > NOISE_MS else None,
    )


def milliseconds(service: psycopg.Connection[Any], call: Call) -> float:
    with service.transaction(force_rollback=True):
        if call.first:
            service.execute(call.first.encode())
        began = time.perf_counter()
        service.execute(call.text.encode()).fetchall()
        return (time.perf_counter() - began) * 1000


def pages(service: psycopg.Connection[Any], call: Call) -> int:
    """What the call reads of tables and indexes, in memory or not."""
    with service.transaction(force_rollback=True):
        if call.first:
            service.execute(call.first.encode())
        explained = service.execute(f"explain (analyze, buffers, timing off, format json) {call.text}".encode())
        ((told,),) = explained.fetchall()
    plan = told[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


MEASURES = (
    Measure("scale", "what the service's loops ask, with a million calendars (minutes)", "with a thousand", scale),
)
