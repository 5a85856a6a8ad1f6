"""Where the story happens: a local Supabase, an emulated Google, the service under gunicorn, and people with calendars.

Owns starting and ending them. Every process ends with the demo, however that ends. Called by the chapters.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from scripts.apart import apart
from scripts.stack.children import Child, Children
from scripts.stack.environment import google_addresses
from scripts.stack.google.control import GoogleControl
from scripts.stack.google.server import EmulatorServer
from scripts.stack.supabase import LocalSupabase
from scripts.stack.truth import differences, expected_meetings, stored_meetings
from scripts.stack.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
WEB_WORKERS = 2
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Person:
    name: str
    user_id: str
    email: str
    refresh_token: str
    time_zone: str


class Stage:
    """Use as a context manager. `now` is the story's beginning."""

    def __init__(self) -> None:
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.root = ROOT
        self.people: list[Person] = []
        self._exits = ExitStack()

    def __enter__(self) -> Stage:
        self.supabase = self._exits.enter_context(LocalSupabase())
        emulator = self._exits.enter_context(EmulatorServer())
        self.google = GoogleControl(emulator.url)
        self.environment = {
            **self.supabase.environment(google_addresses(emulator.url)),
            "WEB_CONCURRENCY": str(WEB_WORKERS),
            "LOG_LEVEL": "warning",
            "DASHBOARD_TOKEN": secrets.token_urlsafe(32),
        }
        self.url = self.environment["WEBHOOK_BASE_URL"]
        self.db = self._exits.enter_context(
            psycopg.connect(self.supabase.db_url, autocommit=True, row_factory=dict_row)
        )
        self._children = Children()
        self._exits.callback(self._children.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def start_service(self) -> None:
        """Two gunicorn workers; returns when the service is ready."""
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
        self.service: Child = self._children.spawn(
            "gunicorn",
            command,
            log=self._children.directory("demo-") / "gunicorn.log",
            environment={**os.environ, **apart(self.environment)},
            cwd=self.root,
        )
        wait_until(self._is_ready, within_seconds=30, what="the service to be ready")

    def start_worker(self) -> Child:
        """The process beside it, which polls, renews and delivers."""
        return self._children.spawn(
            "worker",
            [sys.executable, "-m", "sync.jobs.worker"],
            log=self._children.directory("demo-") / "worker.log",
            environment={**os.environ, **apart(self.environment)},
            cwd=self.root,
        )

    def _is_ready(self) -> bool:
        if self.service.ended():
            raise RuntimeError(f"the service did not start:\n{self.service.log_tail()}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    # People

    def person(self, name: str, time_zone: str) -> Person:
        email = f"{name.lower()}@example.com"
        person = Person(
            name,
            self.supabase.create_user(email),
            email,
            self.google.add_account(email, time_zone=time_zone),
            time_zone,
        )
        self.people.append(person)
        return person

    def row(self, query: str, *params: object) -> JsonObject:
        """The first row of a query that has one."""
        found = self.db.execute(query, params).fetchone()
        if found is None:
            raise RuntimeError("the query has no row")
        return dict(found)

    def post(self, path: str, body: JsonObject | None = None) -> JsonObject:
        """As an operator with the service key. Raises for anything but success."""
        headers = {"Authorization": f"Bearer {self.supabase.service_key}"}
        answer = httpx.post(f"{self.url}/functions/v1/{path}", json=body or {}, headers=headers, timeout=90)
        answer.raise_for_status()
        return dict(answer.json())

    # Waiting, and the truth

    def await_true(self, what: str, query: str, *params: object, within_seconds: float = 30) -> float:
        """Seconds until the query has a row."""
        began = time.perf_counter()
        wait_until(
            lambda: self.db.execute(query, params).fetchone() is not None,
            within_seconds=within_seconds,
            what=what,
        )
        return time.perf_counter() - began

    def await_quiet(self) -> None:
        """Until every notification is delivered and synced."""
        self.google.wait_push_idle()
        self.await_true(
            "all calendars to be synced",
            "select 1 where not exists (select 1 from calendar_webhooks where notifications_seen > "
            "notifications_synced or lease_expires_at is not null or last_synced_at is null)",
        )

    def differences(self, person: Person) -> tuple[int, list[str]]:
        """(meetings compared, disagreements) over the horizon, an hour inside its moving edges."""
        settings = self.environment
        hour = dt.timedelta(hours=1)
        start = self.now - dt.timedelta(days=int(settings["HORIZON_PAST_DAYS"])) + hour
        end = self.now + dt.timedelta(days=int(settings["HORIZON_FUTURE_DAYS"])) - hour
        expected = expected_meetings(self.google, person.email, start, end, time_zone=person.time_zone)
        with psycopg.connect(self.supabase.db_url) as db:
            stored = stored_meetings(db, person.user_id, "primary", start, end)
        return len(expected), differences(expected, stored)


def measured(action: Callable[[], object]) -> float:
    """Seconds it took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
