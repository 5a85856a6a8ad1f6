"""Real processes of the service: the worker and gunicorn, to be stopped and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from scripts.apart import apart
from tests.world import TLS, World, wait_until

CHECKOUT = Path(__file__).parents[2]
STOP_SECONDS = 60.0


class Process:
    """A running service process of the code in a folder; `log` is what it wrote."""

    def __init__(self, arguments: list[str], environment: dict[str, str], code: Path = CHECKOUT) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=code,
            env={"PATH": os.environ["PATH"], **apart(environment)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def log(self) -> str:
        # The process writes at the place that a seek would move: it would write over its own first lines.
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to it and its children: no chance to tidy up."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, as a platform sends it."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit code."""
        return self._process.wait(STOP_SECONDS)

    def close(self) -> None:
        self.kill()
        self._log.close()


@contextmanager
def worker(
    world: World, *, arguments: tuple[str, ...] = ("sync.jobs.worker",), **environment: str
) -> Iterator[Process]:
    """`python -m sync.jobs.worker`, or another command that drives."""
    process = Process(["-m", *arguments], {**world.environment, "LOG_LEVEL": "info", **environment})
    try:
        yield process
    finally:
        process.close()


@contextmanager
def gunicorn(
    world: World, port: int, *, workers: int = 1, code: Path = CHECKOUT, **environment: str
) -> Iterator[Process]:
    """The web service as a platform runs it, once it answers."""
    own = {"WEB_CONCURRENCY": str(workers), "LOG_LEVEL": "info"}
    with gunicorn_in({**world.environment, **own, **environment}, port, code=code) as process:
        yield process


@contextmanager
def gunicorn_in(environment: Mapping[str, str], port: int, *options: str, code: Path = CHECKOUT) -> Iterator[Process]:
    """Likewise in this environment alone, with further options of gunicorn's."""
    arguments = ["-m", "gunicorn", "-c", "gunicorn.conf.py", *options, "app:create_app()"]
    process = Process(arguments, {**environment, "PORT": str(port)}, code)
    try:
        wait_until(lambda: _answers(port) or not process.is_running, "gunicorn answers")
        assert process.is_running, process.log
        yield process
    finally:
        process.close()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5, verify=TLS).status_code == 200
    except httpx.HTTPError:
        return False
