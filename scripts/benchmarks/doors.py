"""What a notification takes from Google to its answer, and to the row."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import httpx

from scripts.benchmarks.asking import Asking, request_of
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
# In a round, by connections.
REQUESTS = {1: 400, 64: 2000}
# Of the rate to the floor's, and of p99 in ms.
AIMS = {1: (0.8, None), 64: (1.2, 80.0)}
NOTHING_ASKED = "/healthz, which asks the store nothing"
IDLE_PER_SECOND = 4
EDITS_PER_SECOND = 20


@dataclass(slots=True)
class Doors:
    """What is asked of each: ours, the bare application, and PostgREST itself. A push is in its channel's turn."""

    here: Ground
    channels: list[tuple[str, str]]
    pushes: Iterator[int]
    _headers: list[dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self._headers = [headers_of(self.here, *channel, 0) for channel in self.channels]

    def push(self, url: str) -> bytes:
        number = next(self.pushes)
        headers = self._headers[number % len(self._headers)]
        return request_of(url, {**headers, "X-Goog-Message-Number": str(number + 2)})

    def pushes_to(self, url: str, connections: int, requests: int) -> Asking:
        """Of gunicorn's, ours or the bare one, which looks at nothing of it."""
        return Asking(url, lambda: self.push(url + WEBHOOK_PATH), connections, requests)

    def health_of(self, url: str, connections: int, requests: int) -> Asking:
        asked = request_of(f"{url}/healthz", {}, method="GET")
        return Asking(url, lambda: asked, connections, requests)

    def empty_calls(self, connections: int, requests: int) -> Asking:
        """From as many connections as a gunicorn worker has threads."""
        url = f"{self.here.environment['SUPABASE_URL']}/rest/v1/rpc/bench_floor"
        asked = request_of(url, {**_key(self.here), "Content-Type": "application/json"}, b"{}")
        return Asking(url, lambda: asked, min(connections, WORKER_THREADS), requests)


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
        two = gunicorn({**here.environment, "PORT": str(free_port())}, workers=2)
        wait_until(lambda: _is_there(here), within_seconds=30, what="the floor's function")
        with gunicorn(here.environment) as url, bare as bare_url:
            doors = Doors(here, channels_of(here), itertools.count())
            wait_until(here.all_are_synced, within_seconds=60, what="the first syncs")
            # Nothing is due before that: what a notification asks for is measured below, and by "push".
            far = "now() + interval '1 day'"
            here.db.execute(f"update calendar_webhooks set not_before = {far}, due_at = {far}".encode())  # noqa: S608
            yield from _answers(size, doors, {"": url, "a bare application": bare_url}, 1)
            with two as two_url:
                urls = {"": url, "a bare application": bare_url, "two workers, as shipped": two_url}
                yield from _answers(size, doors, urls, 64)
            here.db.execute("update calendar_webhooks set not_before = null, due_at = now()")
            for connections in REQUESTS:
                ours = doors.pushes_to(url, connections, size.of(REQUESTS[connections], 20))
                (rates,) = turn_about(size.rounds, partial(_rate, ours))
                yield row_of(f"{_named(connections)}, with the syncs that follow", "/s", rates, better="higher")


def _answers(size: Size, doors: Doors, urls: dict[str, str], connections: int) -> Iterator[Row]:
    """`urls`: whose answers, ours under no name. Beside them ours to who asks for nothing."""
    requests = size.of(REQUESTS[connections], 20)
    asked = {name: doors.pushes_to(url, connections, requests) for name, url in urls.items()}
    asked[NOTHING_ASKED] = doors.health_of(urls[""], connections, requests)
    waits: dict[str, list[float]] = {name: [] for name in asked}
    *found, floors = turn_about(
        size.rounds,
        *(partial(_rate, each, waits[name]) for name, each in asked.items()),
        partial(_rate, doors.empty_calls(connections, requests)),
    )
    for name, rates in zip(asked, found, strict=True):
        what = ", ".join(filter(None, (_named(connections), name)))
        rate_aim, p99_aim = AIMS[connections] if not name else (None, None)
        yield row_of(what, "/s", rates, floors, aim=rate_aim, better="higher")
        of_all = [1000 * seconds for seconds in waits[name]]
        yield Row(f"{what}, p99", "ms", share(of_all, 0.99), min(of_all), max(of_all), aim=p99_aim)


def _named(connections: int) -> str:
    return f"{connections} connection{'s' * (connections > 1)}"


def _rate(asking: Asking, waits: list[float] | None = None) -> float:
    """Answers a second."""
    *answers, whole = asking()
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
