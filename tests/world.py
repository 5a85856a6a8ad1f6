"""The world a test lives in: a local Supabase, an emulated Google, the service, and people with roles.

Alice is the user a test is about, Bob another one, Charlie has no access to anything.
"""

from __future__ import annotations

import datetime as dt
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app
from scripts.stack.google.control import GoogleControl
from scripts.stack.supabase import LocalSupabase, sign_up
from scripts.stack.truth import differences, expected_meetings, stored_meetings
from sync.clients.alerts.destinations import AlertDestinations
from sync.jobs.driving.poll_due import Sweep, poll_due
from sync.jobs.services import Services, build_services, utc_now
from sync.jobs.watching.renew_watches import Renewal, renew_watches
from sync.settings import Settings, load
from tests.connections import KEPT

JsonObject = dict[str, Any]
# Made once: httpx would read all certificates anew for each call.
TLS = ssl.create_default_context()
_numbers = itertools.count(1)
# For what comes within a second or two on a machine that has nothing else to do.
PATIENCE_SECONDS = 60.0


def wait_until(condition: Callable[[], Any], what: str, within_seconds: float = PATIENCE_SECONDS) -> Any:
    """The condition's first true value; an AssertionError naming `what` when it does not come."""
    deadline = time.monotonic() + within_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.02)


def patient(services: Services) -> Services:
    """With a minute for an alert's sending, which loads a library first, in a process of its own."""
    urls = services.settings.alert_urls or ()
    return replace(services, destinations=AlertDestinations(urls, seconds=PATIENCE_SECONDS))


@dataclass
class Person:
    """A user of Supabase with a Google account."""

    user_id: str
    email: str
    refresh_token: str
    time_zone: str


class World:
    """Everything of one test. Times in events are relative to the real now: leases live on the database's clock."""

    def __init__(self, supabase: LocalSupabase, google: GoogleControl, environment: Mapping[str, str]) -> None:
        self.supabase = supabase
        self.google = google
        self.environment = dict(environment)
        self.settings: Settings = load(self.environment)
        self.db = KEPT.borrow(supabase.db_url)
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self._service: InProcessService | None = None
        self._services: Services | None = None
        self._is_elsewhen = False

    # People and their events

    def person(self, name: str = "alice", time_zone: str = "UTC") -> Person:
        email = f"{name}{next(_numbers)}@example.com"
        user_id = sign_up(self.db, email)
        return Person(user_id, email, self.google.add_account(email, time_zone=time_zone), time_zone)

    def event(self, title: str | None = "Meeting", *, hours: float = 2, minutes: float = 60, **more: Any) -> JsonObject:
        """An event body that begins `hours` from now, with a join link as its place."""
        start = self.now + dt.timedelta(hours=hours)
        zone = more.pop("time_zone", "UTC")
        body: JsonObject = {
            "start": {"dateTime": start.isoformat(), "timeZone": zone},
            "end": {"dateTime": (start + dt.timedelta(minutes=minutes)).isoformat(), "timeZone": zone},
            "location": "https://zoom.us/j/5551234567",
        }
        if title is not None:
            body["summary"] = title
        return {**body, **more}

    def ahead(self, *, days: float) -> str:
        """That long from now, as Google is asked for it."""
        return (self.now + dt.timedelta(days=days)).isoformat()

    # The service

    @property
    def services(self) -> Services:
        """Jobs' services of a process of their own, beside the running one."""
        if self._services is None:
            self._services = build_services(self.settings, lambda: self.now if self._is_elsewhen else utc_now())
        return self._services

    def travel_to(self, now: dt.datetime) -> None:
        """It is `now` for the jobs' services and for Google (leases stay on the database's clock). The web service does
        not travel."""
        self._is_elsewhen = True
        self.now = now
        self.google.advance((now - dt.datetime.fromisoformat(self.google.now())).total_seconds())

    @property
    def service(self) -> InProcessService:
        """The web service on its real address, started when first asked for."""
        if self._service is None:
            self._service = InProcessService(self.settings, int(self.environment["PORT"]))
        return self._service

    def services_with(
        self,
        *,
        clock_off_seconds: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        **environment: str,
    ) -> Services:
        """Jobs' services of one more process: with a clock that is off, or other settings."""
        clock_off = dt.timedelta(seconds=clock_off_seconds)
        return build_services(load({**self.environment, **environment}), lambda: utc_now() + clock_off, monotonic)

    def sweep(self, services: Services | None = None, *, budget_seconds: float = 30) -> Sweep:
        """What the cron and the worker do again and again, once."""
        return poll_due(services or self.services, budget_seconds=budget_seconds)

    def renew(self, services: Services | None = None) -> Renewal:
        """What the cron and the worker do for watches, once."""
        return renew_watches(services or self.services, budget_seconds=30)

    def make_due(self, person: Person | None = None) -> None:
        """Calendars (all, or one person's) are due for a poll now, whatever backoff or lease they are in."""
        self.db.execute(
            "update calendar_webhooks set due_at = now() - interval '1 second', not_before = null, "
            "lease_expires_at = case when lease_expires_at is null then null else now() - interval '1 second' end "
            "where %s::uuid is null or user_id = %s",
            (person.user_id if person else None, person.user_id if person else None),
        )

    def let_quota_recover(self) -> None:
        """As if what Google refused were long ago: for all processes, and for this one's jobs."""
        self.db.execute("truncate google_quota, google_quota_leases")
        self._services = None

    def let_suspicions_age(self) -> None:
        """A grant that was refused once: the pause after which a second refusal counts is over."""
        self.db.execute("update calendar_webhooks set not_before = null")
        self.db.execute("update google_credentials set suspected_at = suspected_at - interval '2 minutes'")

    def forget_notifications(self, person: Person) -> None:
        """As if the last notification came long ago, so that none vouches for the calendar."""
        self.db.execute(
            "update calendar_webhooks set last_webhook_received = now() - interval '2 days' where user_id = %s",
            (person.user_id,),
        )

    def restart_service(self, **environment: str) -> None:
        """The web service with other settings."""
        self.stop_service()
        self.environment.update(environment)
        self.settings = load(self.environment)

    def stop_service(self) -> None:
        if self._service:
            self._service.stop()
            self._service = None

    def post(self, path: str, body: JsonObject | None = None, *, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.supabase.service_key}"}
        return httpx.post(f"{self.service.url}{path}", json=body or {}, headers=headers, timeout=60, verify=TLS)

    def connect(self, person: Person, calendar_ids: list[str] | None = None, *, synced: bool = True) -> JsonObject:
        """Connects through the endpoint and (by default) waits for the first sync."""
        body: JsonObject = {"userId": person.user_id, "provider_refresh_token": person.refresh_token}
        if calendar_ids is not None:
            body["calendarIds"] = calendar_ids
        answer = self.post("/functions/v1/connect-calendar", body)
        assert answer.status_code == 200, answer.text
        connected: JsonObject = answer.json()
        if synced:
            for calendar in connected["calendars"]:
                self.await_synced(calendar["id"])
        return connected

    def poll(self, person: Person, *, force: bool = True) -> JsonObject:
        """One forced poll, after any backoff has passed."""
        self.db.execute("update calendar_webhooks set not_before = null where user_id = %s", (person.user_id,))
        answer = self.post("/functions/v1/calendar-polling-service", {"userId": person.user_id, "force": force})
        assert answer.status_code == 200, answer.text
        body: JsonObject = answer.json()
        return body

    # The truth

    def calendar(self, person: Person, google_calendar_id: str = "primary") -> JsonObject:
        row = self.db.execute(
            "select * from calendar_webhooks where user_id = %s and google_calendar_id = %s and duplicate_of is null",
            (person.user_id, google_calendar_id),
        ).fetchone()
        assert row is not None
        return row

    def rows(self, query: str, *params: Any) -> list[JsonObject]:
        return self.db.execute(query, params).fetchall()

    def meetings(self, person: Person) -> list[JsonObject]:
        return self.rows("select * from meetings where user_id = %s order by start_time, title", person.user_id)

    def live_titles(self, person: Person) -> list[str]:
        return [row["title"] for row in self.meetings(person) if row["status"] != "cancelled"]

    def logs(self, person: Person) -> list[JsonObject]:
        return self.rows("select * from calendar_sync_logs where user_id = %s order by created_at, id", person.user_id)

    def differences(self, person: Person, google_calendar_id: str = "primary") -> list[str]:
        start = self.now - dt.timedelta(days=self.settings.horizon_past_days)
        # A margin of an hour: the service's horizon moves with its own clock.
        end = self.now + dt.timedelta(days=self.settings.horizon_future_days) - dt.timedelta(hours=1)
        start += dt.timedelta(hours=1)
        return self.differences_between(person, start, end, google_calendar_id)

    def differences_between(
        self, person: Person, start: dt.datetime, end: dt.datetime, google_calendar_id: str = "primary"
    ) -> list[str]:
        source = person.email if google_calendar_id == "primary" else google_calendar_id
        expected = expected_meetings(self.google, source, start, end, time_zone=person.time_zone)
        stored = stored_meetings(self.db, person.user_id, google_calendar_id, start, end)
        return differences(expected, stored)

    def assert_equal(self, person: Person, google_calendar_id: str = "primary") -> None:
        found = self.differences(person, google_calendar_id)
        assert not found, "\n".join(found)

    def await_equal(self, person: Person, google_calendar_id: str = "primary") -> None:
        try:
            wait_until(lambda: not self.differences(person, google_calendar_id), "meetings = calendar")
        except AssertionError:
            self.assert_equal(person, google_calendar_id)

    def await_synced(self, calendar_id: str) -> None:
        """Until the calendar was synced and nothing waits, nor what came while it was locked and is not counted yet."""
        wait_until(
            lambda: self.rows(
                "select 1 from calendar_webhooks w where id = %s and last_synced_at is not null "
                "and lease_expires_at is null and notifications_seen = notifications_synced "
                "and not exists (select 1 from calendar_notifications n"
                " where n.calendar_id = w.id and n.outcome = 'due')",
                calendar_id,
            ),
            "the calendar is synced",
        )

    def google_calls(self, kind: str) -> int:
        return int(self.google.counters()["calls"].get(kind, 0))

    def rpcs(self) -> dict[str, int]:
        """Calls of SQL functions since the last reset, by name."""
        return {name.removeprefix("rpc/"): count for name, count in self.supabase.counters().items()}

    def reset_counters(self) -> None:
        self.google.reset_counters()
        self.supabase.reset_counters()

    @contextmanager
    def in_background(self, call: Callable[[], object]) -> Iterator[None]:
        """Runs `call` in a thread beside the block; its failure is the block's."""
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(call)
            try:
                yield
            except BaseException:
                self.supabase.clear_faults()
                self.google.clear_faults()
                raise
            running.result()

    def close(self) -> None:
        # What a failed test left held would hold up the service's end.
        self.supabase.clear_faults()
        self.google.clear_faults()
        self.stop_service()
        KEPT.give_back(self.supabase.db_url, self.db)


class InProcessService:
    """The app on a real socket, in a thread."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.app = create_app(settings)
        # One that was killed may be waited for while its children still die.
        wait_until(lambda: _is_free(port), f"port {port} is free")
        self._server = make_server("127.0.0.1", port, self.app, threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.app.extensions["driver"].shut_down(10)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Quiet."""
