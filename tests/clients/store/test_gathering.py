"""Calls made as one: who is answered, when, and what one that fails does to the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sync.clients.retrying import deadline, seconds_left
from sync.clients.store.gathering import MOST_CALLS, PATIENCE_SECONDS, Gathering
from sync.errors import StoreRejected, StoreUnavailable


class Recorder:
    """Records numbers; a negative one is refused. `hold` lets no call end until it is set; `breaks`: no call for
    several ends well. Whoever waits does so for long, however slow the machine, but for what is told."""

    def __init__(self, patience_seconds: float = 30.0) -> None:
        self.calls: list[list[int]] = []
        self.hold = threading.Event()
        self.begun = threading.Semaphore(0)
        self.durable: set[int] = set()
        self.breaks = False
        self.gathering = Gathering(self.one, self.all_of, patience_seconds)

    def one(self, number: int) -> int:
        return self._record([number])[0]

    def all_of(self, numbers: Sequence[int]) -> list[int]:
        return self._record(list(numbers))

    def _record(self, numbers: list[int]) -> list[int]:
        self.calls.append(numbers)
        self.begun.release()
        assert self.hold.wait(60)
        if self.breaks and len(numbers) > 1:
            raise StoreUnavailable("gone", "record")
        if min(numbers) < 0:
            raise StoreRejected("22003", "record")
        self.durable.update(numbers)
        return [number * 10 for number in numbers]

    def ask(self, number: int) -> int:
        told = self.gathering.ask(number)
        assert number in self.durable, "answered before it was durable"
        return told


def ask_while_others_are_out(recorder: Recorder, pool: ThreadPoolExecutor, *numbers: int) -> list[Future[int]]:
    """Asked in this order while calls for 100 and more are under way, as many as there may be; then these may end."""
    out = [pool.submit(recorder.ask, 100 + number) for number in range(MOST_CALLS)]
    for _ in out:
        assert recorder.begun.acquire(timeout=60)
    asked: list[Future[int]] = []
    for count, number in enumerate(numbers, 1):
        asked.append(pool.submit(recorder.ask, number))
        while len(recorder.gathering._waiting) < count:
            time.sleep(0.001)
    recorder.hold.set()
    return asked


def test_who_comes_alone_calls_at_once_for_itself() -> None:
    recorder = Recorder()
    recorder.hold.set()
    assert [recorder.ask(number) for number in (1, 2)] == [10, 20]
    assert recorder.calls == [[1], [2]]


def test_those_that_wait_are_recorded_in_one_call_in_their_order() -> None:
    recorder = Recorder()
    with ThreadPoolExecutor(8) as pool:
        asked = ask_while_others_are_out(recorder, pool, 5, 3, 4)
        assert [each.result(60) for each in asked] == [50, 30, 40]
    assert recorder.calls[MOST_CALLS:] == [[5, 3, 4]]


def test_one_that_is_refused_harms_nobody_else() -> None:
    recorder = Recorder()
    with ThreadPoolExecutor(8) as pool:
        bad, good = ask_while_others_are_out(recorder, pool, -2, 3)
        assert good.result(60) == 30
        with pytest.raises(StoreRejected):
            bad.result(60)
    assert {3} == {number for number in recorder.durable if number < 100}


def test_a_call_that_breaks_is_made_again_by_each_before_any_is_answered() -> None:
    recorder = Recorder()
    recorder.breaks = True
    with ThreadPoolExecutor(8) as pool:
        asked = ask_while_others_are_out(recorder, pool, 2, 3)
        assert [each.result(60) for each in asked] == [20, 30]
    assert sorted(map(len, recorder.calls[MOST_CALLS:])) == [1, 1, 2]


class Hanging(Recorder):
    """A call for several is answered by nobody, until the time of all that wait is over."""

    def __init__(self) -> None:
        super().__init__()
        self.over_at = time.monotonic() + 1.5

    def all_of(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        time.sleep(seconds_left() + 0.05)
        raise StoreUnavailable("ReadTimeout", "record")

    def ask(self, number: int) -> int:
        with deadline(self.over_at - time.monotonic() if number < 100 else 10.0):
            return super().ask(number)


def test_past_its_deadline_nobody_calls_again_after_a_call_that_broke() -> None:
    """While the database hangs, each would be kept for one more call's least time, and for nothing."""
    recorder = Hanging()
    with ThreadPoolExecutor(8) as pool:
        asked = ask_while_others_are_out(recorder, pool, 2, 3)
        for each in asked:
            with pytest.raises(StoreUnavailable):
                each.result(60)
    assert recorder.calls[MOST_CALLS:] == [[2, 3]]


def test_behind_a_call_that_hangs_nobody_waits_for_long() -> None:
    recorder = Recorder(PATIENCE_SECONDS)
    with ThreadPoolExecutor(8) as pool:
        for number in range(MOST_CALLS):
            pool.submit(recorder.ask, 100 + number)
            assert recorder.begun.acquire(timeout=60)
        other = pool.submit(recorder.ask, 2)
        assert recorder.begun.acquire(timeout=PATIENCE_SECONDS + 60)
        assert recorder.calls[MOST_CALLS:] == [[2]]
        recorder.hold.set()
        assert other.result(60) == 20


def test_a_crowd_is_answered_each_with_its_own_in_few_calls() -> None:
    recorder = Recorder()
    recorder.hold.set()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(recorder.ask, range(2000))) == [number * 10 for number in range(2000)]
    assert sorted(number for call in recorder.calls for number in call) == list(range(2000))
