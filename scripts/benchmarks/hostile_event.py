"""One event made to cost much: how long it takes, and what others feel of it."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import httpx

from scripts.benchmarks.bystander import TLS, asks_health, bystander
from scripts.benchmarks.doors import channels_of, headers_of
from scripts.benchmarks.ground import Ground, event, ground, gunicorn
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, share
from scripts.stack.ports import free_port
from scripts.stack.waiting import wait_until
from sync.jobs.ingress_in_force import WEBHOOK_PATH

# Nearly the longest text that Google takes, in which links are looked for.
TEXT = "https://zoom.us/" + "a/" * 4000
QUARTERS = "RRULE:FREQ=HOURLY;BYMINUTE=0,15,30,45"
SYNCED_WITHIN_SECONDS = 1.0
# Others wait for a processor while one is busy with it, but not for the event.
MOST_OF_QUIET = 1.5
AT_ONCE = 4
# Whose pushes nobody syncs for: only the answer is measured.
BYSTANDERS = 4

Body = dict[str, object]


def _dates(name: str, count: int, minutes: int) -> str:
    first = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
    return f"{name}:" + ",".join(
        f"{first + dt.timedelta(minutes=minutes * number):%Y%m%dT%H%M%SZ}" for number in range(count)
    )


def _very_many() -> Body:
    """None of them is in `meetings`: what only looks like a link is none, and makes no meeting."""
    return {"description": TEXT, "location": "", "recurrence": [QUARTERS]}


def _meetings() -> Body:
    return {"description": TEXT, "recurrence": [QUARTERS]}


def _rules() -> Body:
    """As many as are read, each walked from its start to where its count ends."""
    days = ",".join(map(str, range(1, 366)))
    return {"recurrence": [f"RRULE:FREQ=YEARLY;BYYEARDAY={days};COUNT={10**8 + number}" for number in range(8)]}


def _dates_left_out() -> Body:
    return {"recurrence": [QUARTERS, _dates("EXDATE", 20_000, 15)]}


def _dates_of_its_own() -> Body:
    return {"recurrence": [_dates("RDATE", 20_000, 4)]}


def _entry_points() -> Body:
    video = {"entryPointType": "video", "uri": "https://zoom.us/" + "a/" * 500}
    return {"location": "", "conferenceData": {"entryPoints": [video] * 5000}}


OTHER_SHAPES: dict[str, Callable[[], Body]] = {
    "very many meetings with a long text": _meetings,
    "eight rules that count very far": _rules,
    "20,000 dates left out": _dates_left_out,
    "20,000 dates of its own": _dates_of_its_own,
    "5,000 entry points": _entry_points,
}


@dataclass(slots=True)
class _Felt:
    """Milliseconds of others' answers, while events are synced and while all is quiet."""

    meanwhile: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)

    def rows(self, what: str) -> Iterator[Row]:
        p99 = share(self.meanwhile, 0.99)
        ends = min(self.meanwhile), max(self.meanwhile)
        yield row_of(f"{what}, median", "ms", self.meanwhile, self.quiet)
        yield Row(f"{what}, p99", "ms", p99, *ends, share(self.quiet, 0.99), aim=MOST_OF_QUIET)


@dataclass(slots=True)
class _Scene:
    """`victims`: people whose calendars have had no event yet; a second one would wait for the pause that merges a
    burst."""

    here: Ground
    url: str
    victims: Iterator[str]
    asks: dict[str, Callable[[str], httpx.Response]]

    def suffer(self, shape: Callable[[], Body], felt: dict[str, _Felt], times: int, at_once: int = 1) -> list[float]:
        """Seconds of each time. Quiet is listened to turn about with the events, for as long as each took: both have
        as many answers."""
        took: list[float] = []
        for _ in range(times):
            for asked, answers in felt.items():
                victims = list(itertools.islice(self.victims, at_once))
                with bystander(self.url, self.asks[asked]) as waits:
                    took.append(self._synced_after(victims, shape()))
                answers.meanwhile += waits
                with bystander(self.url, self.asks[asked]) as waits:
                    time.sleep(took[-1])
                answers.quiet += waits
        return took

    def _synced_after(self, victims: Sequence[str], shape: Body) -> float:
        """Seconds from Google's answer until the events of theirs, of one shape, are synced."""
        already = _syncs(self.here)
        for email in victims:
            self.here.google.insert_event(email, event("Hostile", 1, **shape))
        began = time.perf_counter()
        done = partial(_have_synced, self.here, already + len(victims))
        wait_until(done, within_seconds=60, what="their syncs")
        return time.perf_counter() - began


def hostile(size: Size) -> Iterator[Row]:
    times, few = size.of(20, 1), size.of(5, 1)
    with ground() as here, gunicorn(here.environment) as url:
        services = here.services()
        for number in range(BYSTANDERS):
            here.person(services, f"bystander{number}")
        wait_until(here.all_are_synced, within_seconds=60, what="the first syncs")
        here.db.execute("update calendar_webhooks set not_before = now() + interval '1 day', due_at = not_before")
        push = _pushes(here)
        count = 3 * times + few * (AT_ONCE + len(OTHER_SHAPES))
        victims = [here.person(services, f"victim{number}")[1] for number in range(count)]
        wait_until(here.all_are_synced, within_seconds=60, what="the victims' first syncs")
        scene = _Scene(here, url, iter(victims), {"/healthz": asks_health, "pushes": push})
        yield from _rows(scene, times, few)
        with gunicorn({**here.environment, "PORT": str(free_port())}) as other_url:
            felt = {"/healthz": _Felt()}
            replace(scene, url=other_url).suffer(_very_many, felt, times)
            yield from felt["/healthz"].rows("others' /healthz of another process meanwhile")


def _rows(scene: _Scene, times: int, few: int) -> Iterator[Row]:
    felt = {asked: _Felt() for asked in scene.asks}
    took = scene.suffer(_very_many, felt, times)
    yield row_of("the event, until it is synced", "s", took, aim=SYNCED_WITHIN_SECONDS)
    for asked, answers in felt.items():
        yield from answers.rows(f"others' {asked} meanwhile")
    felt = {"/healthz": _Felt()}
    scene.suffer(_very_many, felt, few, AT_ONCE)
    yield from felt["/healthz"].rows(f"others' /healthz while {AT_ONCE} people have one")
    for name, shape in OTHER_SHAPES.items():
        felt = {"/healthz": _Felt()}
        took = scene.suffer(shape, felt, few)
        yield row_of(f"{name}, until synced", "s", took, aim=SYNCED_WITHIN_SECONDS)
        yield from list(felt["/healthz"].rows("others' /healthz meanwhile"))[1:]


def _pushes(here: Ground) -> Callable[[str], httpx.Response]:
    """As Google sends them, for those who are connected so far."""
    channels, numbers = channels_of(here), itertools.count(2)

    def push(url: str) -> httpx.Response:
        number = next(numbers)
        headers = headers_of(here, *channels[number % len(channels)], number)
        return httpx.post(url + WEBHOOK_PATH, headers=headers, timeout=30, verify=TLS)

    return push


def _syncs(here: Ground) -> int:
    return int(here.db.execute("select count(*) from calendar_sync_logs").fetchall()[0][0])


def _have_synced(here: Ground, syncs: int) -> bool:
    return _syncs(here) >= syncs and here.all_are_synced()


MEASURES = (
    Measure(
        "hostile_event",
        "one event made to cost much, and what others feel of it",
        "the same while all is quiet",
        hostile,
    ),
)
