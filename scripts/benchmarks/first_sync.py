"""What a calendar's first sync costs: beside the same rows written by nothing but statements, and beside the way of the
original system, a select and an insert for each event."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from scripts.benchmarks.calendars import Item, fill, mixed, singles, sync
from scripts.benchmarks.ground import Ground, ground
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, seconds
from scripts.benchmarks.relay import relayed
from supabase import Client, create_client
from sync.clients.google.calendar import PAGE_SIZE
from sync.jobs.services import Services

ITEMS = 25_000
KINDS: dict[str, Callable[[int], list[Item]]] = {"singles": singles, "singles and series": mixed}
NETWORK_SECONDS = 0.02
# Of the original's way, in which each event costs the same.
SAMPLE = 50
_people = count(1)

_FLOOR = """
create function public.bench_floor(p_events jsonb, p_meetings jsonb) returns integer
language sql security invoker set search_path = ''
as $$
  with events as (
    insert into public.calendar_events select * from jsonb_populate_recordset(null::public.calendar_events, p_events)
  ), meetings as (
    insert into public.meetings select * from jsonb_populate_recordset(null::public.meetings, p_meetings)
  )
  select 1
$$;
grant execute on function public.bench_floor to service_role;
notify pgrst, 'reload schema';
"""


def first_sync(size: Size) -> Iterator[Row]:
    with ground() as here:
        here.google.configure(push="drop")
        here.db.execute(_FLOOR.encode())
        services, client = here.services(), _client(here.environment)
        # What a sync needs at all is loaded before anything is measured.
        _first(here, services, singles(size.of(600, 2)))
        base = _memory("VmRSS")
        for kind, items in KINDS.items():
            rounds = [_round(here, services, client, items(size.of(ITEMS, 20))) for _ in range(min(3, size.rounds))]
            whole, writing, floors, memory, pages = zip(*rounds, strict=True)
            share = [floor / ours for floor, ours in zip(floors, whole, strict=True)]
            yield row_of(f"{kind}: the floor's share of the whole sync", "", share, aim=0.6, better="higher")
            # Whoever lists a calendar waits for its pages, of which the emulated Google makes each on the same cores.
            share = [(floor + listed) / ours for floor, listed, ours in zip(floors, pages, whole, strict=True)]
            yield row_of(f"{kind}: the floor's and the bare pages' share", "", share, better="higher")
            share = [floor / ours for floor, ours in zip(floors, writing, strict=True)]
            yield row_of(f"{kind}: the floor's share of its writing", "", share, aim=0.6, better="higher")
            yield row_of(f"{kind}: seconds", "s", whole, floors)
            # What this measure itself holds between the rounds is none of a sync's.
            yield row_of(f"{kind}: memory of the process", "MB", [base + more for more in memory], aim=130.0)
        yield row_of("then a delta of 900 daily series", "s", [_delta(here, services, size.of(900, 2))])


def _round(here: Ground, services: Services, client: Client, items: list[Item]) -> tuple[float, ...]:
    """Seconds of the whole and of its writing, seconds of the floor, by how many MB the process grew, and seconds of
    Google's pages alone."""
    writing: list[float] = []
    stage = services.store.commits.stage

    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return stage(*arguments, **named)
        finally:
            writing.append(time.perf_counter() - began)

    services.store.commits.stage = timed  # type: ignore[method-assign]
    try:
        user_id, whole, memory = _first(here, services, items)
    finally:
        services.store.commits.stage = stage  # type: ignore[method-assign]
    pages = seconds(lambda: _pages(here, user_id))
    return whole, sum(writing) or whole, _floor(here, client, user_id, max(1, len(writing))), memory, pages


def _pages(here: Ground, user_id: str) -> None:
    """Asks for each page of the user's calendar, and does nothing with it."""
    (email,) = here.db.execute("select email from auth.users where id = %s", (user_id,)).fetchall()[0]
    headers = {"Authorization": f"Bearer {here.google.access_token(email)}"}
    asked = {"maxResults": str(PAGE_SIZE), "maxAttendees": "1", "singleEvents": "false"}
    url = f"{here.environment['GOOGLE_API_ENDPOINT']}/calendar/v3/calendars/primary/events"
    with httpx.Client(timeout=60) as client:
        while True:
            page = client.get(url, params=asked, headers=headers).raise_for_status().json()
            if "nextPageToken" not in page:
                return
            asked["pageToken"] = page["nextPageToken"]


def _first(here: Ground, services: Services, items: list[Item]) -> tuple[str, float, float]:
    """The user, seconds of their calendar's first sync, and by how many MB the process grew."""
    user_id, email = here.person(services, f"first{next(_people)}")
    fill(here, email, items)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    took = seconds(lambda: sync(here, services, user_id))
    return user_id, took, _memory("VmHWM") - before


def _memory(field: str) -> float:
    """MB. VmRSS: held now; VmHWM: the most since it was last forgotten."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) / 1024


def _delta(here: Ground, services: Services, series: int) -> float:
    user_id, email = here.person(services, f"first{next(_people)}")
    sync(here, services, user_id)
    fill(here, email, [{**item, "recurrence": ["RRULE:FREQ=DAILY"]} for item in singles(series)])
    return seconds(lambda: sync(here, services, user_id))


def _floor(here: Ground, client: Client, user_id: str, parts: int) -> float:
    """Seconds for the rows that a sync has written, which make room for themselves first."""
    lots = [_taken(here, table, user_id, parts) for table in ("meetings", "calendar_events")]

    def write() -> None:
        for meetings, events in zip(*lots, strict=True):
            client.rpc("bench_floor", {"p_events": events, "p_meetings": meetings}).execute()

    took = seconds(write)
    for table in ("meetings", "calendar_events"):
        here.db.execute(f"delete from {table} where user_id = %s".encode(), (user_id,))  # noqa: S608 - of these two
    return took


def _taken(here: Ground, table: str, user_id: str, parts: int) -> list[list[Item]]:
    query = f"delete from {table} t where user_id = %s returning to_jsonb(t)"  # noqa: S608 - of two tables
    rows = [row[0] for row in here.db.execute(query.encode(), (user_id,)).fetchall()]
    size = -(-len(rows) // parts)
    return [rows[part * size : (part + 1) * size] for part in range(parts)]


def per_event(size: Size) -> Iterator[Row]:
    with ground() as here, relayed(here.environment, NETWORK_SECONDS) as (behind, _):
        here.google.configure(push="drop")
        services, client = here.services(**behind), _client(behind)
        _first(here, services, singles(size.of(600, 2)))
        ours, theirs = [], []
        items = singles(size.of(5000, 10))
        for _ in range(min(3, size.rounds)):
            _, took, _ = _first(here, services, items)
            ours.append(len(items) / took)
            theirs.append(_one_by_one(here, services, client, size.of(SAMPLE, 2)))
        yield row_of("events a second, network of 20 ms", "/s", ours, theirs, aim=50.0, better="higher")
        services.store.close()


def _client(environment: dict[str, str]) -> Client:
    return create_client(environment["SUPABASE_URL"], environment["SUPABASE_SERVICE_ROLE_KEY"])


def _one_by_one(here: Ground, services: Services, client: Client, events: int) -> float:
    """Events a second, one after the other."""
    user_id, _ = here.person(services, f"first{next(_people)}")

    def write() -> None:
        for number, item in enumerate(singles(events)):
            event_id = f"event{number}"
            table = client.table("meetings")
            known = table.select("id").eq("user_id", user_id).eq("google_calendar_event_id", event_id).execute()
            if not known.data:
                table.insert(
                    {
                        "user_id": user_id,
                        "google_calendar_event_id": event_id,
                        "title": item["summary"],
                        "description": item["description"],
                        "meeting_url": item["location"],
                        "start_time": item["start"]["dateTime"],
                        "end_time": item["end"]["dateTime"],
                    }
                ).execute()

    return events / seconds(write)


MEASURES = (
    Measure(
        "first_sync",
        "a first sync of 25,000 items, with Google's pages and all that is derived",
        "the same rows in as many parts through the same PostgREST, one statement each, nothing asked or compared",
        first_sync,
    ),
    Measure(
        "per_event",
        "a first sync of 5000 events",
        "a select and an insert for each event, one after the other, as the original system did",
        per_event,
    ),
)
