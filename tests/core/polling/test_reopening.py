"""When another channel is opened."""

from __future__ import annotations

import pytest

from sync.core.polling.reopening import LONGEST_PAUSE_SECONDS, REOPEN_ABOVE, reopen_pause_seconds, should_reopen


@pytest.mark.parametrize(
    ("chance", "in_vain", "age", "reopens"),
    [
        (REOPEN_ABOVE, 0, 10.0, True),
        (REOPEN_ABOVE - 0.01, 0, 1e9, False),
        (1.0, 1, 3599.0, False),
        (1.0, 1, 3600.0, True),
        (1.0, 3, 3 * 3600.0, False),
        (1.0, 3, 4 * 3600.0, True),
    ],
)
def test_a_dead_channel_is_replaced_at_once_and_those_after_it_with_patience(
    chance: float, in_vain: int, age: float, reopens: bool
) -> None:
    assert should_reopen(chance, in_vain, age) is reopens


def test_the_pause_doubles_up_to_a_day() -> None:
    assert [reopen_pause_seconds(n) / 3600 for n in (1, 2, 3, 4, 5)] == [1, 2, 4, 8, 16]
    assert reopen_pause_seconds(10**6) == LONGEST_PAUSE_SECONDS
