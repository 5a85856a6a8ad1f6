"""A stack of its own with the service on it as two to four real processes, any of which may be killed.

Two of gunicorn, each behind an address of its own (Google pushes to both), and up to two workers. The store is reached
through the stack's gateway, which loses calls and answers on demand. Used by batch.py.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from scripts.stack.environment import google_addresses
from scripts.stack.google.process import EmulatorProcess
from scripts.stack.ports import free_port
from scripts.stack.supabase import LocalSupabase
from sync.settings import load
from tests.chaos.bots import Bots
from tests.chaos.off_clock import OFF_SECONDS
from tests.chaos.told import Told
from tests.connections import connect
from tests.flows.processes import Process
from tests.world import TLS, JsonObject, World, wait_until

FEWEST, MOST = 2, 4
# What a process says of itself that must never be said.
BUGS = ('_bug"', "Traceback")
OFFS = (-240.0, 0.0, 0.0, 0.0, 180.0)


@dataclass
class Role:
    """One process: how it is started, and the process while it lives."""

    name: str
    port: int | None
    off_seconds: float
    process: Process | None = None

    @property
    def arguments(self) -> list[str]:
        if self.port is None:
            return ["-m", "tests.chaos.off_clock"]
        return ["-m", "gunicorn", "-c", "gunicorn.conf.py", "tests.chaos.off_clock:create_app()"]


class Field:
    """Use as a context manager; `world` has no service of its own then."""

    def __init__(self, dice: random.Random, processes: int | None = None) -> None:
        self._exits = ExitStack()
        self.bugs: list[str] = []
        workers = (processes or dice.randint(FEWEST, MOST)) - 2
        names = ["eu", "us", *[f"worker{number}" for number in range(workers)]]
        self.roles = [Role(name, free_port() if len(name) == 2 else None, dice.choice(OFFS)) for name in names]

    def __enter__(self) -> Field:
        self.supabase = self._exits.enter_context(LocalSupabase())
        emulator = self._exits.enter_context(EmulatorProcess())
        self.bots = Bots()
        self.told = self._exits.enter_context(Told())
        self._exits.callback(self.bots.fake.stop)
        doors = ",".join(f"{role.name}=http://127.0.0.1:{role.port}" for role in self.webs)
        self.environment = {
            **self.supabase.environment(google_addresses(emulator.url)),
            "WEBHOOK_BASE_URL": doors,
            "WEB_CONCURRENCY": "1",
            "SWEEP_SECONDS": "1",
            "SYNC_THREADS": "4",
            "LOG_LEVEL": "warning",
            **self.bots.environment(),
        }
        self.world = World(self.supabase, emulator.control, self.environment)
        self._exits.callback(self._end)
        # What is committed survives the server's end, as it does on a platform; sessions begun before do not know it.
        self.sql("alter database postgres set synchronous_commit = on")
        self.sql("set synchronous_commit = on")
        self.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def _end(self) -> None:
        self.world.close()
        for role in self.roles:
            self.kill(role)

    # Processes

    @property
    def webs(self) -> list[Role]:
        return [role for role in self.roles if role.port is not None]

    def start(self, role: Role) -> None:
        """Begin it, if it is not there; `await_up` waits."""
        if role.process is not None and role.process.is_running:
            return
        self.kill(role)
        own = {OFF_SECONDS: str(role.off_seconds), "PORT": str(role.port or 0)}
        role.process = Process(role.arguments, {**self.environment, **own})

    def await_up(self) -> None:
        """Every process is there, and the webs answer."""
        for role in self.roles:
            self.start(role)
        for role in self.webs:
            wait_until(lambda role=role: self._answers(role), f"{role.name} answers", 60)  # type: ignore[misc]

    def kill(self, role: Role) -> None:
        """SIGKILL; what it said is read first."""
        if role.process is not None:
            self._listen(role, role.process)
            role.process.close()
            role.process = None

    def terminate(self, role: Role) -> None:
        """SIGTERM, as a platform does at a deployment; killed where it does not end."""
        if role.process is not None:
            role.process.terminate()
            with suppress(Exception):
                role.process.wait()
            self.kill(role)

    def redeploy(self, **settings: str) -> None:
        """All processes anew, with other settings; one after the other, so that old and new run side by side."""
        self.environment.update(settings)
        self.world.settings = load(self.environment)
        for role in self.roles:
            self.terminate(role)
            self.start(role)

    def _listen(self, role: Role, process: Process) -> None:
        self.bugs += [f"{role.name}: {line}" for line in process.log.splitlines() if any(bug in line for bug in BUGS)]

    def listen(self) -> None:
        """Collect what the living ones said."""
        for role in self.roles:
            if role.process is not None:
                self._listen(role, role.process)

    @staticmethod
    def _answers(role: Role) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{role.port}/healthz", timeout=5, verify=TLS).status_code == 200
        except httpx.HTTPError:
            return False

    def post(self, path: str, body: JsonObject, *, timeout_seconds: float = 30.0) -> int:
        """What the first process answers that answers at all; 0: none does."""
        headers = {"Authorization": f"Bearer {self.supabase.service_key}"}
        for role in self.webs:
            url = f"http://127.0.0.1:{role.port}{path}"
            try:
                return httpx.post(url, json=body, headers=headers, timeout=timeout_seconds, verify=TLS).status_code
            except httpx.HTTPError:
                continue
        return 0

    # The store

    @contextmanager
    def without_postgres(self) -> Iterator[None]:
        with self.supabase.without_postgres():
            yield
        self.world.db.close()
        self.world.db = connect(self.supabase.db_url)

    def sql(self, query: str, *params: Any) -> None:
        self.world.db.execute(query, params)


def pause(seconds: float) -> None:
    time.sleep(seconds)
