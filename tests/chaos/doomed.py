"""Jobs in processes that die at a chosen moment: after so many exchanges with the outside, however they are made.

An exchange is what is sent on a socket and the answer to it: a call of the store, of Google, of a provider, of a
subscriber. A process is told to die after the nth: once the answer is there, before a byte of it is read, so the other
side has done what it was asked. That is also the moment before the next one: nothing of the outside lies between. After
none means before the first. Death is `os._exit`: nothing is tidied up, and the kernel closes its sockets.

Started by the tests as a server that forks, for forking is quick where no thread runs:

    python -m tests.chaos.doomed    # a line of JSON {job, arguments, environment, after} in, one {died, exchanges} out
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sync.jobs.accounts.disconnect import disconnect
from sync.jobs.bots.follow_bots import follow_bots
from sync.jobs.driving.poll_user import poll_user
from sync.jobs.events.courier import deliver_due
from sync.jobs.services import Services, build_services
from sync.jobs.watching.renew_watches import renew_watches
from sync.logs import configure_logs
from sync.settings import load

DEAD, DONE, BROKEN = 9, 0, 1
ANSWER_SECONDS = 20
CHECKOUT = Path(__file__).resolve().parents[2]

JOBS: dict[str, Callable[..., object]] = {
    "sync": lambda services, user_id: poll_user(services, user_id, forced=True),
    "renew": lambda services: renew_watches(services, budget_seconds=20),
    "disconnect": lambda services, user_id: disconnect(services, user_id, "keep"),
    "follow_bots": follow_bots,
    "deliver": lambda services: deliver_due(services, budget_seconds=20),
}


@dataclass(frozen=True)
class End:
    """How a job ended: it died, or was done before. `exchanges`: the first lines of what it sent."""

    died: bool
    exchanges: list[str]


class Executioner:
    """The server, as the tests use it: a context manager."""

    def __enter__(self) -> Executioner:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.doomed"],
            cwd=CHECKOUT,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.stdout.close()
        self._process.wait()

    def run(self, job: str, *arguments: str, environment: Mapping[str, str], after: int) -> End:
        """Does the job in a process that dies after so many exchanges. AssertionError if it ended in an exception."""
        assert self._process.stdin
        assert self._process.stdout
        order = {"job": job, "arguments": arguments, "environment": dict(environment), "after": after}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["code"] in (DEAD, DONE), answer
        return End(answer["code"] == DEAD, answer["exchanges"])


class Doom:
    """Counts the exchanges of this process, and ends it."""

    def __init__(self, after: int, ended: Callable[[list[str]], None]) -> None:
        self._after, self._ended = after, ended
        self._lock = threading.Lock()
        self._running: dict[int, int] = {}
        self.exchanges: list[str] = []

    def sends(self, sock: socket.socket, data: Any) -> None:
        with self._lock:
            if self._after == 0:
                self._die()
            if id(sock) not in self._running:
                self.exchanges.append(bytes(data[:200]).split(b"\r\n", 1)[0].decode("latin-1"))
                self._running[id(sock)] = len(self.exchanges)

    def receives(self, sock: socket.socket) -> None:
        with self._lock:
            number = self._running.pop(id(sock), None)
            if number is not None and number == self._after:
                select.select([sock], [], [], ANSWER_SECONDS)
                self._die()

    def _die(self) -> None:
        self._ended(self.exchanges)
        os._exit(DEAD)


def arm(doom: Doom) -> None:
    """From now on all sockets of this process tell of what they send and are about to receive."""

    def told(name: str, tell: Callable[..., None]) -> None:
        original = getattr(socket.socket, name)

        def call(sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
            tell(sock, *args[:1]) if name.startswith("send") else tell(sock)
            return original(sock, *args, **kwargs)

        setattr(socket.socket, name, call)

    for name in ("send", "sendall"):
        told(name, doom.sends)
    for name in ("recv", "recv_into"):
        told(name, doom.receives)


def serve() -> None:
    """Fork for each line; the next is read when the child is gone."""
    ready: dict[str, Services] = {}
    for line in sys.stdin:
        order = json.loads(line)
        key = json.dumps(order["environment"], sort_keys=True)
        if key not in ready:
            # Clients are made here, once: they connect in the child.
            configure_logs("error")
            ready[key] = build_services(load(order["environment"]))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _live_and_die(ready[key], order, writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            exchanges = json.loads(pipe.read() or "[]")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps({"code": code, "exchanges": exchanges}) + "\n")
        sys.stdout.flush()


def _live_and_die(services: Services, order: dict[str, Any], writing: int) -> None:
    def ended(exchanges: list[str]) -> None:
        os.write(writing, json.dumps(exchanges).encode())

    doom = Doom(order["after"], ended)
    arm(doom)
    try:
        JOBS[order["job"]](services, *order["arguments"])
    except BaseException:  # noqa: BLE001 - whatever it is, this process is no copy of its parent any longer
        traceback.print_exc()
        ended(doom.exchanges)
        os._exit(BROKEN)
    ended(doom.exchanges)
    os._exit(DONE)


if __name__ == "__main__":
    serve()
