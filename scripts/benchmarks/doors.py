"""What a notification takes from Google to its answer, and to the row."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import httpx

from scripts.benchmarks.ground import Ground, event, ground, gunicorn
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, share, turn_about
from scripts.stack.ports import free_port
from scripts.stack.waiting import wait_until
from sync.core.accounts.channel_token import channel_token
from sync.jobs.ingress_in_force import WEBHOOK_PATH

_FLOOR = """
create or replace function public.bench_floor() returns jsonb language sql stable set search_path = '' as
$$ select to_jsonb(1) $$;
grant execute on function public.bench_floor() to service_role;
notify pgrst, 'reload schema'
"""
# As in gunicorn.conf.py.
WORKER_THREADS = 16
IDLE_PER_SECOND = 4
EDITS_PER_SECOND = 20


@dataclass(slots=True)
class Sender:
    """Requests of one kind from so many connections, each with a client of its own."""

    send: Callable[[httpx.Client], httpx.Response]
    connections: int
    requests: int

    def __call__(self) -> list[float]:
        """Seconds of each answer; the whole took the last figure."""
        turns = itertools.count()
        took: list[float] = []

        def work() -> None:
            with httpx.Client(verify=False) as client:  # noqa: S501 - plain HTTP; reading certificates is not measured
                while next(turns) < self.requests:
                    began = time.perf_counter()
                    self.send(client).raise_for_status()
                    took.append(time.perf_counter() - began)

        began = time.perf_counter()
        with ThreadPoolExecutor(self.connections) as pool:
            for each in [pool.submit(work) for _ in range(self.connections)]:
                each.result()
        return [*took, time.perf_counter() - began]


@dataclass(slots=True)
class Doors:
    """What is asked of each: ours, the bare application, and PostgREST itself."""

    here: Ground
    url: str
    bare_url: str
    channels: list[tuple[str, str]]
    pushes: Iterator[int]

    def push(self, client: httpx.Client) -> httpx.Response:
        number = next(self.pushes)
        headers = headers_of(self.here, *self.channels[number % len(self.channels)], number + 2)
        return client.post(self.url + WEBHOOK_PATH, headers=headers)

    def through_bare(self, client: httpx.Client) -> httpx.Response:
        return client.post(self.bare_url, headers=headers_of(self.here, *self.channels[0], 2))

    def select_one(self, client: httpx.Client) -> httpx.Response:
        url = f"{self.here.environment['SUPABASE_URL']}/rest/v1/rpc/bench_floor"
        return client.post(url, json={}, headers=_key(self.here))


def notification(size: Size) -> Iterator[Row]:
    """Alone, and then with the syncs that it asks for, which take turns with it in one process."""
    with ground() as here:
        here.db.execute(_FLOOR.encode())
        services = here.services()
        for number in range(size.of(64, 4)):
            here.person(services, f"p{number}")
        bare = gunicorn(
            {**here.environment, "PORT": str(free_port())},
            configuration="scripts/benchmarks/bare_app.py",
            application="scripts.benchmarks.bare_app:application",
        )
        wait_until(lambda: _is_there(here), within_seconds=30, what="the floor's function")
        with gunicorn(here.environment) as url, bare as bare_url:
            doors = Doors(here, url, bare_url, channels_of(here), itertools.count())
            wait_until(here.all_are_synced, within_seconds=60, what="the first syncs")
            # Nothing is due before that: what a notification asks for is measured below, and by "push".
            far = "now() + interval '1 day'"
            here.db.execute(f"update calendar_webhooks set not_before = {far}, due_at = {far}".encode())  # noqa: S608
            for connections, requests, aim in ((1, 200, 0.80), (64, 1500, 1.2)):
                yield from _answers(size.rounds, doors, connections, size.of(requests, 20), aim)
            here.db.execute("update calendar_webhooks set not_before = null, due_at = now()")
            for connections, requests in ((1, 200), (64, 1500)):
                ours = Sender(doors.push, connections, size.of(requests, 20))
                (rates,) = turn_about(size.rounds, partial(_rate, ours))
                yield row_of(f"{_named(connections)}, with the syncs that follow", "/s", rates, better="higher")


def _answers(rounds: int, doors: Doors, connections: int, requests: int, rate_aim: float) -> Iterator[Row]:
    waits: list[float] = []
    bare_waits: list[float] = []
    rates, bare, floors = turn_about(
        rounds,
        partial(_rate, Sender(doors.push, connections, requests), waits),
        partial(_rate, Sender(doors.through_bare, connections, requests), bare_waits),
        # As many as a gunicorn worker has threads.
        partial(_rate, Sender(doors.select_one, min(connections, WORKER_THREADS), requests)),
    )
    name = _named(connections)
    yield row_of(name, "/s", rates, floors, aim=rate_aim, better="higher")
    yield row_of(f"{name}, a bare application", "/s", bare, floors, better="higher")
    p99, bare_p99 = (share(each, 0.99) * 1000 for each in (waits, bare_waits))
    aim = 80.0 if connections > 1 else None
    yield Row(f"{name}, p99", "ms", p99, min(waits) * 1000, max(waits) * 1000, aim=aim)
    yield Row(f"{name}, p99 of a bare application", "ms", bare_p99, min(bare_waits) * 1000, max(bare_waits) * 1000)


def _named(connections: int) -> str:
    return f"{connections} connection{'s' * (connections > 1)}"


def _rate(sender: Sender, waits: list[float] | None = None) -> float:
    """Answers a second."""
    *answers, whole = sender()
    if waits is not None:
        waits.extend(answers)
    return len(answers) / whole


def _is_there(here: Ground) -> bool:
    url = f"{here.environment['SUPABASE_URL']}/rest/v1/rpc/bench_floor"
    return httpx.post(url, json={}, headers=_key(here)).status_code == 200


def channels_of(here: Ground) -> list[tuple[str, str]]:
    rows = here.db.execute("select id, resource_id from calendar_channels where state = 'live'").fetchall()
    return [(str(channel), str(resource)) for channel, resource in rows]


def headers_of(here: Ground, channel_id: str, resource_id: str, number: int) -> dict[str, str]:
    return {
        "X-Goog-Channel-ID": channel_id,
        "X-Goog-Channel-Token": channel_token(here.environment["CHANNEL_TOKEN_SECRET"].split(",")[0], channel_id),
        "X-Goog-Resource-ID": resource_id,
        "X-Goog-Resource-State": "exists",
        "X-Goog-Message-Number": str(number),
    }


def _key(here: Ground) -> dict[str, str]:
    key = here.environment["SUPABASE_SERVICE_ROLE_KEY"]
    return {"apikey": key, "Authorization": f"Bearer {key}"}


def push_to_row(size: Size) -> Iterator[Row]:
    """From Google's answer to the edit until the transaction that writes the row."""
    with ground() as here, gunicorn({**here.environment}):
        services = here.services()
        # So many that none has two edits within the pause that merges a burst, which is not measured here; the second
        # row's turns go on from the first's.
        people = [here.person(services, f"p{number}")[1] for number in range(size.of(80, 2))]
        in_turn = itertools.cycle(people)
        wait_until(here.all_are_synced, within_seconds=60, what="first syncs")
        for name, per_second, edits in (
            ("idle", IDLE_PER_SECOND, 200),
            (f"at {EDITS_PER_SECOND} edits a second", EDITS_PER_SECOND, 400),
        ):
            took = _edits(here, in_turn, per_second, size.of(edits, 4))
            yield Row(f"{name}, p99", "ms", share(took, 0.99) * 1000, min(took) * 1000, max(took) * 1000, aim=50.0)
            yield row_of(f"{name}, median", "ms", [each * 1000 for each in took])


def _edits(here: Ground, people: Iterator[str], per_second: float, count: int) -> list[float]:
    """Seconds from each edit until the transaction of its row began, by the database's clock."""
    began = time.monotonic()
    told: dict[str, dt.datetime] = {}
    for number in range(count):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        title = f"Edit {per_second} {number}"
        here.google.insert_event(next(people), event(title, number % 500 + 1))
        told[title] = dt.datetime.now(dt.UTC)
    ours = "select title, created_at from meetings where title = any(%s)"
    wait_until(
        lambda: len(here.db.execute(ours, (list(told),)).fetchall()) == count, within_seconds=60, what="the rows"
    )
    rows = here.db.execute(ours, (list(told),)).fetchall()
    return [max(0.0, (created - told[title]).total_seconds()) for title, created in rows]


MEASURES = (
    Measure(
        "notification",
        "a push of Google's to its answer, one gunicorn worker; beside it the least that any service would be",
        "the call of an empty function through the same PostgREST",
        notification,
    ),
    Measure("push", "from an edit in Google to its committed row", "none", push_to_row),
)
