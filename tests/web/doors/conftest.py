"""Fixtures of the doors' tests: the service under gunicorn, started once for a file's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from scripts.stack.ports import free_port
from sync.web.doors.patient_worker import PatientWorker
from tests.flows.processes import Process, gunicorn_in
from tests.web.doors.hasty_worker import HastyWorker
from tests.web.doors.unhurried_worker import UnhurriedWorker

# Nobody's calendars are swept meanwhile.
ALONE = {"WEB_CONCURRENCY": "1", "SWEEP_SECONDS": "600"}


@pytest.fixture(scope="module")
def port(environment: dict[str, str]) -> Iterator[int]:
    """As a platform runs it, but that a request may take as long as it likes to arrive."""
    port = free_port()
    with _gunicorn(environment, port, UnhurriedWorker):
        yield port


@pytest.fixture(scope="module")
def hasty_port(environment: dict[str, str]) -> Iterator[int]:
    """Likewise, with HASTY_SECONDS of patience for requests that do not end."""
    port = free_port()
    with _gunicorn(environment, port, HastyWorker):
        yield port


def _gunicorn(environment: dict[str, str], port: int, worker: type[PatientWorker]) -> AbstractContextManager[Process]:
    named = f"{worker.__module__}.{worker.__name__}"
    return gunicorn_in({**environment, **ALONE}, port, "--worker-class", named)
