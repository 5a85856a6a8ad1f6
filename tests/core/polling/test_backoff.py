"""How long to wait after failures, by tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.polling.backoff import backoff_seconds


@pytest.mark.parametrize(
    ("failures", "jitter", "at_least", "seconds"),
    [
        (0, 0.0, 0, 5),
        (1, 0.0, 0, 5),
        (2, 0.0, 0, 10),
        (3, 0.0, 0, 20),
        (4, 0.0, 0, 40),
        (8, 0.0, 0, 600),
        (100_000, 0.0, 0, 600),
        (2, 0.8, 0, 12),
        (1, 0.0, 30, 30),
        (4, 0.0, 30, 40),
        # Retry-After wins over the maximum.
        (100, 0.0, 7200, 7200),
    ],
)
def test_each_failure_doubles_the_wait_up_to_a_maximum(
    failures: int, jitter: float, at_least: float, seconds: float
) -> None:
    waited = backoff_seconds(failures, jitter, first_seconds=5, most_seconds=600, at_least_seconds=at_least)

    assert waited == pytest.approx(seconds)


@given(failures=st.integers(0, 10**9), jitter=st.floats(0, 1, exclude_max=True), at_least=st.floats(0, 86_400))
def test_the_wait_is_never_shorter_than_asked_nor_endless(failures: int, jitter: float, at_least: float) -> None:
    waited = backoff_seconds(failures, jitter, first_seconds=5, most_seconds=600, at_least_seconds=at_least)

    assert max(5, at_least) <= waited <= max(600, at_least) * 1.25
