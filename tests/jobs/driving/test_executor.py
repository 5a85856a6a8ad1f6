"""The in-process executor: each key at most once in the queue, the earliest time wins, nothing after stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from sync.jobs.driving.executor import Executor
from tests.world import wait_until


@pytest.fixture
def executor() -> Iterator[Executor]:
    executor = Executor(threads=2, capacity=3)
    yield executor
    executor.stop(5)


class Noted:
    """A task that notes when it ran; `again` answers when to run again."""

    def __init__(self, *again: float) -> None:
        self.times: list[float] = []
        self._again = list(again)

    def __call__(self) -> float | None:
        self.times.append(time.monotonic())
        return self._again.pop(0) if self._again else None


def test_a_task_runs_after_its_delay_and_not_before(executor: Executor) -> None:
    task, begun = Noted(), time.monotonic()

    assert executor.submit("a", task, 0.1)
    wait_until(lambda: task.times, "the task")

    assert task.times[0] - begun >= 0.1


def test_a_queued_key_runs_once_at_its_earliest_time(executor: Executor) -> None:
    late, early, later = Noted(), Noted(), Noted()
    begun = time.monotonic()
    executor.submit("a", late, 30)
    executor.submit("a", early, 0.1)
    executor.submit("a", later, 60)
    done = Noted()
    executor.submit("end", done, 0.2)
    wait_until(lambda: early.times and done.times, "the early task, and one after it")

    assert (len(late.times), len(early.times), len(later.times)) == (0, 1, 0)
    assert early.times[0] - begun < 30


def test_a_task_that_asks_for_it_runs_again(executor: Executor) -> None:
    task = Noted(0.05, 0.05)
    executor.submit("a", task)

    wait_until(lambda: len(task.times) == 3, "three runs")


def test_a_full_queue_refuses_new_keys_and_takes_known_ones(executor: Executor) -> None:
    for key in "abc":
        assert executor.submit(key, Noted(), 30)

    assert not executor.submit("d", Noted(), 30)
    task = Noted()
    assert executor.submit("a", task)
    wait_until(lambda: task.times, "the known key's task")
    assert executor.submit("d", Noted(), 30)


def test_tasks_run_side_by_side(executor: Executor) -> None:
    meeting = threading.Barrier(2, timeout=60)
    met: list[int] = []

    def meet() -> None:
        met.append(meeting.wait())

    executor.submit("a", meet)
    executor.submit("b", meet)

    wait_until(lambda: len(met) == 2, "both at once")


def test_stop_lets_the_running_end_forgets_the_rest_and_takes_nothing_new(executor: Executor) -> None:
    begun, release = threading.Semaphore(0), threading.Event()
    ended: list[bool] = []

    def slow() -> None:
        begun.release()
        ended.append(release.wait(60))

    for key in ("slow", "slow too"):
        executor.submit(key, slow)
        assert begun.acquire(timeout=60)
    # Due at once, and no thread is free for it before the executor stops.
    never = Noted()
    assert executor.submit("never", never)
    stopping = threading.Thread(target=executor.stop, args=(60,))
    stopping.start()
    wait_until(lambda: executor.is_stopping, "it stops")
    assert not executor.submit("new", never)
    release.set()
    stopping.join()

    assert ended == [True, True]
    assert never.times == []


def test_no_thread_is_started_before_the_first_task() -> None:
    before = threading.active_count()
    idle = Executor(threads=4)

    assert threading.active_count() == before
    idle.stop(1)
