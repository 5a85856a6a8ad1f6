"""Where measures are taken: an embedded Supabase with an emulated Google in processes of their own, people with
calendars, and the service in this process or under gunicorn. Called by the measures."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from dotenv import dotenv_values

from scripts.apart import apart
from scripts.stack.children import Child, Children
from scripts.stack.google.control import GoogleControl
from scripts.stack.ports import free_port
from scripts.stack.waiting import wait_until
from sync.jobs.accounts.connect_calendar import connect_calendars
from sync.jobs.driving.interpreter import share_interpreter
from sync.jobs.services import Services, build_services
from sync.logs import configure_logs
from sync.settings import load

ROOT = Path(__file__).resolve().parents[2]
# Nothing measured here is to wait for a quota.
_UNLIMITED = {"GOOGLE_REQUESTS_PER_MINUTE": "1000000", "GOOGLE_USER_REQUESTS_PER_MINUTE": "1000000"}


@dataclass(slots=True)
class Ground:
    environment: dict[str, str]
    google: GoogleControl
    db: psycopg.Connection[Any]

    def services(self, **more: str) -> Services:
        return build_services(load({**self.environment, **more}))

    def person(self, services: Services, name: str) -> tuple[str, str]:
        """(user's id, email) of somebody who has connected their calendar."""
        email = f"{name}@example.com"
        row = self.db.execute(
            "insert into auth.users (id, email) values (gen_random_uuid(), %s) returning id", (email,)
        )
        user_id = str(row.fetchall()[0][0])
        connect_calendars(services, user_id, self.google.add_account(email), [])
        return user_id, email

    def all_are_synced(self) -> bool:
        """Each calendar was read, and nobody is reading one."""
        waiting = "select 1 from calendar_webhooks where last_synced_at is null or lease_expires_at is not null"
        return self.db.execute(waiting).fetchone() is None


@contextmanager
def ground() -> Iterator[Ground]:
    configure_logs("error")
    # As each process of the service does: what syncs here has its threads take turns likewise.
    share_interpreter()
    with ExitStack() as stays:
        children = Children()
        stays.callback(children.stop)
        folder = children.directory("bench-")
        env_file = folder / "env"
        command = [sys.executable, "-m", "scripts.stack", "up", "--google", "--env-file", str(env_file)]
        child = children.spawn("the stack", command, log=folder / "log", environment=os.environ, cwd=ROOT)
        _await(child, env_file.exists, within_seconds=120)
        environment = {name: value or "" for name, value in dotenv_values(env_file).items()} | _UNLIMITED
        google = GoogleControl(environment["GOOGLE_API_ENDPOINT"])
        db = stays.enter_context(psycopg.connect(environment["SUPABASE_DB_URL"], autocommit=True))
        yield Ground(environment, google, db)


def _await(child: Child, is_up: Callable[[], bool], *, within_seconds: float) -> None:
    """RuntimeError with what it said if it ends instead."""
    wait_until(lambda: is_up() or child.ended(), within_seconds=within_seconds, what=child.name)
    if child.ended():
        raise RuntimeError(f"{child.name} did not start:\n{child.log_tail()}")


@contextmanager
def gunicorn(
    environment: dict[str, str],
    *,
    workers: int = 1,
    configuration: str = "gunicorn.conf.py",
    application: str = "app:create_app()",
) -> Iterator[str]:
    """The web service; its address. On the port that pushes are sent to, unless another is named."""
    own = {"PATH": os.environ["PATH"], "LOG_LEVEL": "error", "WEB_CONCURRENCY": str(workers)}
    port = environment.get("PORT") or str(free_port())
    command = [sys.executable, "-m", "gunicorn", "-c", configuration, application, "-b", f"127.0.0.1:{port}"]
    url = f"http://127.0.0.1:{port}"
    children = Children()
    try:
        log = children.directory("bench-") / "log"
        whole = apart({**own, **environment, "PORT": port})
        child = children.spawn("the service", command, log=log, environment=whole, cwd=ROOT)
        _await(child, lambda: _answers(url), within_seconds=60)
        yield url
    finally:
        children.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def event(title: str, hours: float, **more: object) -> dict[str, object]:
    """A meeting of a quarter of an hour, in so many hours."""
    start = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=hours)
    return {
        "summary": title,
        "location": "https://zoom.us/j/5551234567",
        "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": (start + dt.timedelta(minutes=15)).isoformat(), "timeZone": "UTC"},
        **more,
    }
