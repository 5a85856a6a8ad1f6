"""Figures of several workers, as gunicorn's hooks have them: slots, restarts, gauges of the dead."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sync.telemetry import processes
from tests.telemetry.figures import figure

WORK = """
import sys
from sync.telemetry import processes
processes.take_slot(sys.argv[1])
from sync.telemetry.exposition import exposition
from sync.telemetry.metrics import NOTIFICATIONS, SYNCS_RUNNING, committed
NOTIFICATIONS.labels("due").inc(int(sys.argv[2]))
SYNCS_RUNNING.inc()
if len(sys.argv) > 3:
    sys.stdout.write(exposition().decode())
"""


@pytest.fixture
def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(processes.FOLDER, "an earlier master's")
    processes.begin()
    yield
    processes.end()
    assert list(tmp_path.iterdir()) == []


def work(slot: str, notifications: int, *, shows: bool = False) -> str:
    """A worker's life; what it exposes at its end."""
    arguments = [sys.executable, "-c", WORK, slot, str(notifications), *(["show"] if shows else [])]
    return subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.mark.usefixtures("master")
def test_a_worker_that_takes_a_dead_ones_place_goes_on_with_its_counters_and_not_its_gauges() -> None:
    first, second = processes.give_slot(), processes.give_slot()
    work(first, 3)
    work(second, 4)
    processes.free_slot(first)
    again = processes.give_slot()

    shown = work(again, 5, shows=True)

    assert again == first
    assert figure("calendar_monitor_notifications_total", shown, outcome="due") == 12
    # The second's, whom nobody has found dead, and its own.
    assert figure("calendar_monitor_syncs_running", shown) == 2
    assert figure("process_resident_memory_bytes", shown, worker=again) > 1_000_000


@pytest.mark.usefixtures("master")
def test_a_worker_whose_files_hold_nothing_yet_is_passed_over() -> None:
    first, begins = processes.give_slot(), processes.give_slot()
    for kind in ("counter", "histogram", "gauge_livesum"):
        (Path(os.environ[processes.FOLDER]) / f"{kind}_{begins}.db").touch()

    assert figure("calendar_monitor_notifications_total", work(first, 3, shows=True), outcome="due") == 3


@pytest.mark.usefixtures("master")
def test_slots_are_as_few_as_workers_at_a_time() -> None:
    slots = [processes.give_slot() for _ in range(3)]
    processes.free_slot("1")
    assert (slots, processes.give_slot(), processes.give_slot()) == (["0", "1", "2"], "1", "3")


BEGIN = """
import os, sys
from sync.telemetry import processes
processes.begin()
print(os.environ[processes.FOLDER], flush=True)
sys.stdin.read()
"""


def make_old(folder: Path) -> None:
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago), follow_symlinks=False)


@contextmanager
def another_master(folder: Path) -> Iterator[Path]:
    """The directory of one that lives, and is then killed."""
    running = subprocess.Popen(
        [sys.executable, "-c", BEGIN],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout
    made = Path(running.stdout.readline().strip())
    make_old(made)
    try:
        yield made
    finally:
        running.kill()
        running.communicate()


def test_a_master_sweeps_what_killed_ones_left_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, fresh = tmp_path / "elsewhere", tmp_path / f"{processes.PREFIX}fresh"
    elsewhere.mkdir()
    fresh.mkdir()
    link = tmp_path / f"{processes.PREFIX}link"
    link.symlink_to(elsewhere)
    make_old(elsewhere)
    make_old(link)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(processes.FOLDER, "")

    with another_master(tmp_path) as living:
        with another_master(tmp_path) as dead:
            pass
        assert dead.exists()
        processes.begin()
        left = set(tmp_path.iterdir())
        own = Path(os.environ[processes.FOLDER])
        processes.end()

    assert left == {living, elsewhere, link, fresh, own}
    assert list(elsewhere.iterdir()) == []
