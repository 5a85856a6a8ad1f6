"""The timekeeper: what follows commits is done at once, and never lost while it runs."""

from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from sync.jobs.driving.duties import Duty
from sync.jobs.driving.timekeeper import Timekeeper
from tests.world import World, wait_until


def test_a_commit_while_what_follows_commits_runs_has_it_run_once_more() -> None:
    begun, may_end = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        assert may_end.acquire(timeout=60)

    other: list[str] = []
    duties = [
        Duty("follow", 3600, work, is_everybodys=True, follows_commits=True),
        Duty("other", 3600, lambda: other.append("ran"), is_everybodys=True),
    ]
    keeper = Timekeeper(cast(Any, SimpleNamespace()), duties, lambda: False)
    keeper.after_commit()
    assert begun.acquire(timeout=60)

    keeper.after_commit()
    keeper.after_commit()
    may_end.release()
    assert begun.acquire(timeout=60)
    may_end.release()

    wait_until(lambda: not keeper.is_busy, "both runs have ended")
    assert not begun.acquire(blocking=False)
    assert other == []


def test_a_duty_is_done_by_one_process_for_all(world: World) -> None:
    done: list[str] = []
    for process in ("one", "another"):
        duty = Duty("drop_old", 3600, partial(done.append, process), follows_commits=True)
        keeper = Timekeeper(world.services, [duty], lambda: False)
        keeper.after_commit()
        keeper.shut_down(60)
    assert done == ["one"]


def test_the_end_waits_for_a_duty_under_way() -> None:
    begun, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        begun.set()
        ended.append(may_end.wait(60))

    duty = Duty("follow", 3600, work, is_everybodys=True, follows_commits=True)
    keeper = Timekeeper(cast(Any, SimpleNamespace()), [duty], lambda: False)
    keeper.after_commit()
    assert begun.wait(60)
    threading.Timer(0.1, may_end.set).start()

    keeper.shut_down(60)

    assert ended == [True]
