"""What writing costs: a first listing, one change in a long series, and the same by the way the original wrote."""

from __future__ import annotations

import datetime as dt
import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson

from scripts.benchmarks.ground import Ground, ground
from scripts.benchmarks.measuring import Measure, Row, Size, row_of
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import sync_claim

_PART = 500
# The same rows, as the database holds them, by one statement for each part.
_FLOOR = """
with events as (insert into calendar_events select (jsonb_populate_recordset(null::calendar_events, %s)).* returning 1)
insert into meetings select (jsonb_populate_recordset(null::meetings, %s)).*
"""
NETWORK_SECONDS = 0.02
EXCEPTIONS = 500


def full(size: Size) -> Iterator[Row]:
    with ground() as here:
        here.google.configure(push="drop")
        services = here.services()
        # What is loaded once is loaded before anything is measured.
        _first_sync(here, services, "warm", _singles(600))
        count = size.of(25_000, 300)
        for name, bodies in (("singles", _singles(count)), ("singles and series", _mix(count))):
            rates: list[float] = []
            floors: list[float] = []
            memory: list[float] = []
            for number in range(min(size.rounds, size.of(3, 1))):
                took, held, user_id = _first_sync(here, services, f"{name.split()[-1]}{number}", bodies)
                rates.append(count / took)
                memory.append(held)
                floors.append(count / _by_one_statement(here, user_id))
            yield row_of(f"{count} {name}", "events/s", rates, floors, aim=0.60, better="higher")
            yield row_of(f"{count} {name}, the process", "MB", memory, aim=130.0)


def _first_sync(here: Ground, services: Services, name: str, bodies: list[dict[str, Any]]) -> tuple[float, float, str]:
    """(seconds, most memory that the process held, user's id)"""
    user_id, email = here.person(services, name)
    for first in range(0, len(bodies), 5000):
        here.google.bulk_insert(email, bodies[first : first + 5000], notify=False)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    took = _sync(here, services, user_id)
    status = Path("/proc/self/status").read_text()
    return took, int(status.split("VmHWM:")[1].split()[0]) / 1024, user_id


def _sync(here: Ground, services: Services, user_id: str) -> float:
    rows = here.db.execute("select id from calendar_webhooks where user_id = %s", (user_id,)).fetchall()
    (claim,) = services.leases.claim(1, calendar_ids=[str(row[0]) for row in rows], even_if_not_due=True)
    began = time.perf_counter()
    outcome = sync_claim(services, claim, forced=True)
    took = time.perf_counter() - began
    if str(outcome.status) != "completed":
        raise RuntimeError(f"the sync ended so: {outcome}")
    return took


def _by_one_statement(here: Ground, user_id: str) -> float:
    """Seconds for the same rows; they are taken out first."""
    events, meetings = (_taken_out(here, table, user_id) for table in ("calendar_events", "meetings"))
    began = time.perf_counter()
    for first in range(0, max(len(events), len(meetings)), _PART):
        parts = (orjson.dumps(rows[first : first + _PART]).decode() for rows in (events, meetings))
        here.db.execute(_FLOOR.encode(), tuple(parts))
    return time.perf_counter() - began


def _taken_out(here: Ground, table: str, user_id: str) -> list[Any]:
    gone = f"with gone as (delete from {table} t where user_id = %s returning to_jsonb(t)) select * from gone"  # noqa: S608
    return [row[0] for row in here.db.execute(gone.encode(), (user_id,)).fetchall()]


def series(size: Size) -> Iterator[Row]:
    """One more occurrence is changed, of a series that has so many changed already."""
    with ground() as here:
        here.google.configure(push="drop")
        services = here.services()
        user_id, email = here.person(services, "alice")
        parent = here.google.insert_event(email, _event("Daily", 1, recurrence=["RRULE:FREQ=HOURLY"]))
        _sync(here, services, user_id)
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
        found = here.google.instances(email, dt.datetime.now(dt.UTC).isoformat(), until.isoformat())
        days = [each for each in found if each.get("recurringEventId") == parent["id"]]
        changed = size.of(EXCEPTIONS, 10)
        for number, each in enumerate(days[:changed]):
            here.google.patch_event(email, each["id"], {"summary": f"Day {number}"}, notify=False)
        _sync(here, services, user_id)
        times, moved = [], []
        for number, each in enumerate(days[changed : changed + size.rounds + 1]):
            here.google.patch_event(email, each["id"], {"summary": f"Changed {number}"}, notify=False)
            took, payload = _counted(here, services, user_id)
            if number:
                times.append(took * 1000)
                moved.append(payload / 1000)
        yield row_of(f"one change among {changed}", "ms", times, aim=15.0)
        yield row_of(f"one change among {changed}, to and from the database", "kB", moved, aim=20.0)


def _counted(here: Ground, services: Services, user_id: str) -> tuple[float, float]:
    """(seconds, bytes that the store sent and received)"""
    moved = 0
    real = httpx.Client.send

    def counting(client: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        nonlocal moved
        answer = real(client, request, **more)
        if "/rest/v1/" in str(request.url):
            moved += len(request.content) + len(answer.content)
        return answer

    httpx.Client.send = counting  # type: ignore[method-assign, assignment]
    try:
        took = _sync(here, services, user_id)
    finally:
        httpx.Client.send = real  # type: ignore[method-assign]
    return took, moved


def original(size: Size) -> Iterator[Row]:
    """The original looked each event up and then wrote it, a call each; between it and the database lies a network."""
    with ground() as here:
        here.google.configure(push="drop")
        services = here.services()
        count = size.of(1000, 20)
        took, _, user_id = _first_sync(here, services, "alice", _singles(count))
        calls = _calls_of_a_sync(here)
        ours = [count / (took + calls * NETWORK_SECONDS)]
        sample = size.of(100, 5)
        theirs = [count / (_per_event(here, user_id, sample) / sample * count + 2 * count * NETWORK_SECONDS)]
        yield row_of(f"{count} events, 20 ms to the database", "events/s", ours, theirs, aim=50.0, better="higher")


def _calls_of_a_sync(here: Ground) -> int:
    """The store's calls of the last sync, by its parts: begin, a part for each 500 rows, end."""
    (rows,) = here.db.execute("select count(*) from calendar_events").fetchall()[0]
    return 4 + int(rows) // 250


def _per_event(here: Ground, user_id: str, count: int) -> float:
    key = here.environment["SUPABASE_SERVICE_ROLE_KEY"]
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    rows = [_row(user_id, number) for number in range(count)]
    with httpx.Client(base_url=f"{here.environment['SUPABASE_URL']}/rest/v1", headers=headers) as client:
        began = time.perf_counter()
        for row in rows:
            found = {"select": "id", "google_calendar_event_id": f"eq.{row['google_calendar_event_id']}"}
            client.get("/meetings", params=found).raise_for_status()
            client.post("/meetings", json=row).raise_for_status()
        return time.perf_counter() - began


def _row(user_id: str, number: int) -> dict[str, Any]:
    start = dt.datetime.now(dt.UTC) + dt.timedelta(hours=number)
    return {
        "user_id": user_id,
        "google_calendar_event_id": f"original{number}",
        "title": "Meeting",
        "start_time": start.isoformat(),
        "end_time": (start + dt.timedelta(minutes=30)).isoformat(),
    }


def _singles(count: int) -> list[dict[str, Any]]:
    """Spread over two months, each with a link and a description of ordinary length."""
    return [_event(f"Meeting {number}", 1 + number * 59 * 24 / count) for number in range(count)]


def _mix(count: int) -> list[dict[str, Any]]:
    """A tenth of them are weekly series."""
    weekly = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=8"]}
    return [{**body, **weekly} if number % 10 == 0 else body for number, body in enumerate(_singles(count))]


def _event(title: str, hours: float, **more: Any) -> dict[str, Any]:
    start = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=hours)
    return {
        "summary": title,
        "description": "Agenda. " * 40,
        "location": "https://zoom.us/j/5551234567",
        "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": (start + dt.timedelta(minutes=30)).isoformat(), "timeZone": "UTC"},
        **more,
    }


MEASURES = (
    Measure("full", "a first listing", "the same rows by one SQL statement for each 500", full),
    Measure("series", "one change in a long series with many changes", "none", series),
    Measure("original", "a first listing beside a look-up and an insert for each event", "those", original),
)
