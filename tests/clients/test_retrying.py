"""Repeats: spread wholly, bounded, never before the other side asked, and never past a deadline."""

from __future__ import annotations

import pytest

from sync.clients.retrying import Retries, deadline, retry, seconds_left
from sync.telemetry.registry import REGISTRY
from tests.call_counts import calls_made

RULE = Retries("test", attempts=5, first_seconds=1.0, most_seconds=3.0, asked_seconds=4.0)


class Failing:
    def __init__(self) -> None:
        self.calls = 0
        self.waits: list[float] = []

    def __call__(self) -> None:
        self.calls += 1
        raise ConnectionError

    def run(self, rule: Retries = RULE, *, passes: bool = True, asked: float = 0.0, chance: float = 1.0) -> None:
        with pytest.raises(ConnectionError):
            retry(
                self,
                rule,
                passes=lambda _: passes,
                asked=lambda _: asked,
                pause=self.waits.append,
                chance=lambda: chance,
            )


@pytest.mark.parametrize(("chance", "waits"), [(1.0, [1, 2, 3, 3]), (0.5, [0.5, 1, 1.5, 1.5]), (0.0, [0, 0, 0, 0])])
def test_waits_are_drawn_below_a_bound_that_doubles(chance: float, waits: list[float]) -> None:
    failing = Failing()
    failing.run(chance=chance)
    assert (failing.waits, failing.calls) == (waits, 5)


def test_what_succeeds_in_the_end_is_answered() -> None:
    ends = iter([ConnectionError(), ConnectionError(), "answer"])

    def call() -> str:
        end = next(ends)
        if isinstance(end, Exception):
            raise end
        return str(end)

    assert retry(call, RULE, passes=lambda _: True, pause=lambda _: None) == "answer"
    assert next(ends, None) is None


def test_what_is_answered_at_once_costs_no_more_than_its_call() -> None:
    assert calls_made(lambda: retry(lambda: 1, RULE, passes=lambda _: True)) < 12


def test_what_does_not_pass_is_not_repeated() -> None:
    failing = Failing()
    failing.run(passes=False)
    assert failing.calls == 1


def test_the_other_side_is_left_alone_for_as_long_as_it_asks() -> None:
    failing = Failing()
    failing.run(asked=4.0)
    assert failing.waits == [4, 4, 4, 4]


def test_a_long_pause_is_not_waited_for_here() -> None:
    failing = Failing()
    failing.run(asked=4.1)
    assert failing.calls == 1


def test_nobody_waits_beyond_their_deadline() -> None:
    failing = Failing()
    with deadline(1.9):
        failing.run()
    # The second wait alone would be longer.
    assert failing.waits == [1]


def test_an_inner_deadline_never_lengthens_the_outer_one() -> None:
    with deadline(5), deadline(50):
        assert seconds_left() <= 5
        assert seconds_left(at_most=1) == 1
    assert seconds_left(at_most=9) == 9


def test_repeats_are_counted_by_what_was_repeated() -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("calendar_monitor_retries_total", {"upstream": "test"}) or 0.0

    before = counted()
    Failing().run()
    assert counted() == before + 4
