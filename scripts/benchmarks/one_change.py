"""What one occurrence costs that changes in a series with 500 exceptions."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from functools import partial

from scripts.benchmarks.calendars import event, fill, sync
from scripts.benchmarks.ground import Ground, ground
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, seconds, turn_about
from scripts.benchmarks.relay import relayed
from sync.jobs.services import Services

EXCEPTIONS = 500
# Of the next days, so that each is a meeting.
CHANGED = 50


def one_change(size: Size) -> Iterator[Row]:
    with ground() as here:
        here.google.configure(push="drop")
        services = here.services()
        user_id, email = here.person(services, "series")
        instances = _series(here, email, size.of(EXCEPTIONS, 3))
        sync(here, services, user_id)
        took, idle = turn_about(
            size.rounds,
            partial(_changed, here, services, user_id, email, instances),
            partial(_milliseconds, here, services, user_id),
        )
        yield row_of("claim, listing and commit", "ms", took, idle, aim=15.0, is_of_ratio=False)
        with relayed(here.environment) as (behind, relays):
            through = here.services(**behind)
            moved = []
            for number in range(size.rounds):
                _rename(here, email, instances[number % CHANGED % len(instances)])
                before = sum(relay.moved for relay in relays)
                sync(here, through, user_id)
                moved.append((sum(relay.moved for relay in relays) - before) / 1000)
            through.store.close()
        yield row_of("bytes to and from the store and Google", "kB", moved, aim=20.0)


def _series(here: Ground, email: str, exceptions: int) -> list[str]:
    """The ids of its instances; each is an exception."""
    start = dt.datetime.now(dt.UTC).replace(microsecond=0, second=0) + dt.timedelta(hours=1)
    daily = event("Daily", start, id="series500", recurrence=[f"RRULE:FREQ=DAILY;COUNT={exceptions}"])
    fill(here, email, [daily])
    days = (start + dt.timedelta(days=number) for number in range(exceptions))
    instances = [f"series500_{day:%Y%m%dT%H%M%SZ}" for day in days]
    for number, instance in enumerate(instances):
        here.google.patch_event(email, instance, {"summary": f"Day {number}"}, notify=False)
    return instances


def _changed(here: Ground, services: Services, user_id: str, email: str, instances: list[str]) -> float:
    _rename(here, email, instances[int(time.monotonic()) % CHANGED % len(instances)])
    return _milliseconds(here, services, user_id)


def _rename(here: Ground, email: str, instance: str) -> None:
    here.google.patch_event(email, instance, {"summary": f"Renamed {time.monotonic()}"}, notify=False)


def _milliseconds(here: Ground, services: Services, user_id: str) -> float:
    return seconds(partial(sync, here, services, user_id)) * 1000


MEASURES = (
    Measure(
        "change",
        "one occurrence that changes in a series with 500 exceptions",
        "a sync of the same calendar that finds nothing",
        one_change,
    ),
)
