"""The end of a process: what it takes no more, what is done once, and that nothing keeps it."""

from __future__ import annotations

import subprocess
import sys

from sync.jobs.driving.driver import Driver
from sync.jobs.driving.leaving import Leaving
from tests.world import World

# A log that nobody reads any more: whoever writes to it holds its lock, and waits.
HANGING_LOG = """
import logging, threading
from types import SimpleNamespace
from sync.jobs.driving import leaving

leaving.WORK_SECONDS = leaving.CLOSE_SECONDS = 0.1
nothing = SimpleNamespace(stop_soon=lambda: None, shut_down=lambda _seconds: None, give_back=lambda: 0)
handler = logging.StreamHandler()
held = threading.Event()

def write() -> None:
    handler.acquire()
    held.set()
    threading.Event().wait()

threading.Thread(target=write, daemon=True).start()
held.wait()
ending = leaving.Leaving(SimpleNamespace(leases=nothing), nothing)
ending.soon()
ending.watch()
threading.Event().wait()
"""


def test_whoever_is_told_to_end_takes_nothing_more(world: World) -> None:
    """Also while requests under way are still waited for, before anything is closed."""
    driver = Driver(world.services)

    Leaving(world.services, driver).soon()

    assert driver.is_stopping
    assert not driver.run_later("more", lambda: None, 0.0)


def test_what_is_kept_for_the_end_is_done_once(world: World) -> None:
    done: list[str] = []
    closings = [lambda: done.append("told"), lambda: done.append("sent")]
    leaving = Leaving(world.services, Driver(world.services), closings)

    leaving.close()
    leaving.close()

    assert done == ["told", "sent"]


def test_a_log_that_hangs_keeps_no_process() -> None:
    """A second and more: a process of its own begins, and ends."""
    subprocess.run([sys.executable, "-c", HANGING_LOG], timeout=60, check=True)
