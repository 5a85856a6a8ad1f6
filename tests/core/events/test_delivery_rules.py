"""What follows from each answer, by table."""

from __future__ import annotations

import pytest

from sync.core.events.delivery_rules import DELAYS_SECONDS, judge
from sync.event_model import Answer, AttemptEnd
from sync.states import DeliveryState

MINUTE, HOUR = 60, 3600


def end(
    status: int | None,
    *,
    tries: int = 1,
    failures: int = 0,
    retry_after: float | None = None,
    error: str | None = None,
    jitter: float = 0.0,
) -> AttemptEnd:
    answer = Answer(status, error, retry_after, 5)
    return judge(answer, tries=tries, failures_in_a_row=failures, jitter=jitter)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert end(status) == AttemptEnd(DeliveryState.DELIVERED)


@pytest.mark.parametrize("status", [101, 301, 302, 308, 400, 401, 404, 500, 600])
def test_nothing_else_is(status: int) -> None:
    found = end(status)
    assert (found.state, found.error_code, found.pause_seconds) == (DeliveryState.PENDING, f"http_{status}", None)


def test_the_schedule_is_the_specifications() -> None:
    assert DELAYS_SECONDS == (
        0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
    )  # fmt: skip
    delays = [end(500, tries=tries).next_seconds for tries in range(1, 10)]
    assert delays == list(DELAYS_SECONDS[1:])
    assert end(500, tries=10).state is DeliveryState.DEAD


def test_attempts_that_failed_together_come_apart() -> None:
    assert [end(500, tries=2, jitter=jitter).next_seconds for jitter in (0.0, 1.0)] == [300, 360]


def test_no_answer_is_a_failure_by_its_code() -> None:
    assert end(None, error="timeout") == AttemptEnd(DeliveryState.PENDING, "timeout", 5.0)


def test_410_disables_and_what_waits_stays() -> None:
    assert end(410, tries=10) == AttemptEnd(DeliveryState.PENDING, "http_410", disable_reason="gone_410")


@pytest.mark.parametrize("status", [429, 502, 504])
def test_an_overloaded_endpoint_is_left_alone_longer_each_time(status: int) -> None:
    assert [end(status, failures=n).pause_seconds for n in (0, 1, 3, 50)] == [5, 10, 40, 600]


def test_one_that_fails_whatever_it_is_told_is_left_alone_too() -> None:
    assert [end(500, failures=n).pause_seconds for n in (0, 8, 9, 11, 99)] == [None, None, 5, 20, 600]


@pytest.mark.parametrize(("asked", "seconds"), [(0, 5), (90, 90), (float("inf"), 86_400)])
def test_what_it_asks_for_is_honoured_within_a_day(asked: float, seconds: float) -> None:
    found = end(429, retry_after=asked)
    assert (found.next_seconds, found.pause_seconds) == (seconds, seconds)


def test_503_with_a_time_is_a_pause_too() -> None:
    assert end(503, retry_after=30).pause_seconds == 30
    assert end(503).pause_seconds is None
