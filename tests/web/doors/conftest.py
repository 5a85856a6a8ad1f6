"""Fixtures of the doors' tests: the service under gunicorn, started once for a file's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.stack.ports import free_port
from tests.flows.processes import gunicorn_in
from tests.web.doors.hasty_worker import HastyWorker

# Nobody's calendars are swept meanwhile.
ALONE = {"WEB_CONCURRENCY": "1", "SWEEP_SECONDS": "600"}


@pytest.fixture(scope="module")
def port(environment: dict[str, str]) -> Iterator[int]:
    """As a platform runs it."""
    port = free_port()
    with gunicorn_in({**environment, **ALONE}, port):
        yield port


@pytest.fixture(scope="module")
def hasty_port(environment: dict[str, str]) -> Iterator[int]:
    """Likewise, with HASTY_SECONDS of patience for requests that do not end."""
    port = free_port()
    worker = f"{HastyWorker.__module__}.{HastyWorker.__name__}"
    with gunicorn_in({**environment, **ALONE}, port, "--worker-class", worker):
        yield port
