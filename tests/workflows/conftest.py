"""Fixtures: the service's stand-in, and a run of each cron workflow's script against it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workflows.cron_service import POLLING, RENEWAL, CronService, Run, run_step, serving


@pytest.fixture
def service() -> Iterator[CronService]:
    missing = [tool for tool in ("bash", "curl", "jq") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"the workflow's script needs {' and '.join(missing)}, which GitHub's runners have")
    with serving() as running:
        yield running


@pytest.fixture
def poll(service: CronService, tmp_path: Path) -> Callable[..., Run]:
    def run(url: str | None = None, **environment: str) -> Run:
        return run_step(POLLING, tmp_path, service.url if url is None else url, **environment)

    return run


@pytest.fixture
def renew(service: CronService, tmp_path: Path) -> Callable[..., Run]:
    def run(url: str | None = None, **environment: str) -> Run:
        return run_step(RENEWAL, tmp_path, service.url if url is None else url, **environment)

    return run
