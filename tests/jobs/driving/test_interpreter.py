"""Syncs and requests share a process' interpreter: neither reckoning nor collecting garbage holds it for long."""

from __future__ import annotations

import gc
import runpy
import signal
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from sync.jobs import worker
from sync.jobs.driving import interpreter
from tests.flows.processes import CHECKOUT


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)
    gc.unfreeze()


def test_what_a_process_was_built_of_is_not_looked_at_again() -> None:
    built = len(gc.get_objects())

    interpreter.share_interpreter()

    assert gc.get_freeze_count() > built / 2
    assert len(gc.get_objects()) < built / 20
    assert sys.getswitchinterval() == pytest.approx(interpreter.SWITCH_SECONDS)


def test_gunicorns_workers_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", MagicMock())
    extensions = {name: MagicMock() for name in ("services", "driver", "leaving")}

    runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))["post_worker_init"](
        SimpleNamespace(wsgi=SimpleNamespace(extensions=extensions))
    )

    assert gc.get_freeze_count()
    assert extensions["driver"].start.called


def test_the_continuous_worker_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[int] = []
    monkeypatch.setattr(signal, "signal", MagicMock())
    monkeypatch.setattr(worker, "run", lambda *_: frozen.append(gc.get_freeze_count()))
    others = ("load", "configure_logs", "take_over_process", "check_destinations", "_answer_prometheus")
    for name in (*others, "Driver", "Leaving"):
        monkeypatch.setattr(worker, name, MagicMock())

    worker.main(MagicMock())

    assert frozen
    assert frozen[0]
