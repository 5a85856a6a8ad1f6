"""The timekeeper: what follows commits is done at once, and never lost while it runs."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from sync.jobs.driving.duties import Duty
from sync.jobs.driving.timekeeper import Timekeeper
from tests.world import wait_until


def test_a_commit_while_what_follows_commits_runs_has_it_run_once_more() -> None:
    begun, may_end = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        assert may_end.acquire(timeout=5)

    other: list[str] = []
    duties = [
        Duty("follow", 3600, work, is_everybodys=True, follows_commits=True),
        Duty("other", 3600, lambda: other.append("ran"), is_everybodys=True),
    ]
    keeper = Timekeeper(cast(Any, SimpleNamespace()), duties, lambda: False)
    keeper.after_commit()
    assert begun.acquire(timeout=5)

    keeper.after_commit()
    keeper.after_commit()
    may_end.release()
    assert begun.acquire(timeout=5)
    may_end.release()

    wait_until(lambda: not keeper.is_busy, "both runs have ended")
    assert not begun.acquire(blocking=False)
    assert other == []
