"""One event made to cost much: how long it takes, and what others feel of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from scripts.benchmarks.bystander import bystander
from scripts.benchmarks.ground import Ground, event, ground, gunicorn
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, share
from scripts.stack.waiting import wait_until

# Very many occurrences, with nearly the longest text that Google takes, in which links are looked for.
RULE = "RRULE:FREQ=HOURLY;BYMINUTE=0,15,30,45"
TEXT = "https://zoom.us/" + "a/" * 4000
SYNCED_WITHIN_SECONDS = 1.0
# Others wait for a processor while one is busy with it, but not for the event.
MOST_OF_QUIET = 1.5


def hostile(size: Size) -> Iterator[Row]:
    """Quiet is listened to turn about with the events, for as long as each took: both have as many answers."""
    with ground() as here, gunicorn(here.environment) as url:
        services = here.services()
        # One each: a second event of theirs would wait for the pause that merges a burst.
        victims = [here.person(services, f"victim{number}")[1] for number in range(size.of(20, 2))]
        wait_until(here.all_are_synced, within_seconds=60, what="the first sync")
        took: list[float] = []
        quiet: list[float] = []
        meanwhile: list[float] = []
        for number, victim in enumerate(victims):
            with bystander(url) as waits:
                took.append(_synced_after(here, victim, number))
            meanwhile += waits
            with bystander(url) as waits:
                time.sleep(took[-1])
            quiet += waits
        yield row_of("the event, until it is synced", "s", took, aim=SYNCED_WITHIN_SECONDS)
        yield row_of("others' /healthz meanwhile, median", "ms", meanwhile, quiet)
        p99 = share(meanwhile, 0.99)
        yield Row(
            "others' /healthz meanwhile, p99",
            "ms",
            p99,
            min(meanwhile),
            max(meanwhile),
            share(quiet, 0.99),
            aim=MOST_OF_QUIET,
        )


def _synced_after(here: Ground, email: str, number: int) -> float:
    """Seconds until the event of theirs is synced."""
    body = event(f"Hostile {number}", 1, description=TEXT, location="", recurrence=[RULE])
    already = _syncs(here)
    began = time.perf_counter()
    here.google.insert_event(email, body)
    wait_until(partial(_has_synced, here, already), within_seconds=60, what="its sync")
    return time.perf_counter() - began


def _syncs(here: Ground) -> int:
    return int(here.db.execute("select count(*) from calendar_sync_logs").fetchall()[0][0])


def _has_synced(here: Ground, already: int) -> bool:
    """Not that it is in `meetings`: what only looks like a link is none, and makes no meeting."""
    return _syncs(here) > already and here.all_are_synced()


MEASURES = (
    Measure(
        "hostile_event",
        "one event made to cost much, and what others feel of it",
        "the same while all is quiet",
        hostile,
    ),
)
