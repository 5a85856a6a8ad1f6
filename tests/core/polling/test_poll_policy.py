"""When a calendar is polled next, by tables."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.polling.poll_policy import SHORTEST_POLL_SECONDS, another_look, next_poll, vouched_until

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("last", "until"),
    [
        (None, None),
        (NOW, NOW + 6 * HOUR),
        (NOW - 5 * HOUR, NOW + HOUR),
        (NOW - 6 * HOUR, None),
        (NOW - 30 * HOUR, None),
        # The store's clock may be ahead of ours.
        (NOW + HOUR, NOW + 7 * HOUR),
    ],
)
def test_a_notification_vouches_until_the_stale_hours_are_over(
    last: dt.datetime | None, until: dt.datetime | None
) -> None:
    assert vouched_until(last, 6, NOW) == until


@pytest.mark.parametrize(
    ("missed", "jitter", "seconds", "reason"),
    [
        (0, 0.0, 16200, "poll_interval"),
        (0, 0.5, 18360, "poll_interval"),
        (1, 0.0, 8100, "poll_after_missed_push"),
        (2, 0.0, 4050, "poll_after_missed_push"),
        (4, 0.0, 1012.5, "poll_after_missed_push"),
        (5, 0.0, SHORTEST_POLL_SECONDS, "poll_after_missed_push"),
        (500, 0.99, SHORTEST_POLL_SECONDS, "poll_after_missed_push"),
        (-1, 0.0, 16200, "poll_interval"),
    ],
)
def test_missed_pushes_halve_the_interval(missed: int, jitter: float, seconds: float, reason: str) -> None:
    poll = next_poll(6, missed, jitter)

    assert poll.seconds == pytest.approx(seconds)
    assert poll.reason == reason


@given(
    stale_hours=st.floats(0.01, 168),
    missed=st.integers(0, 10_000),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_no_poll_is_later_than_the_bound_nor_never(stale_hours: float, missed: int, jitter: float) -> None:
    seconds = next_poll(stale_hours, missed, jitter).seconds

    assert 0 < seconds <= stale_hours * 3600
    assert seconds <= next_poll(stale_hours, max(missed - 1, 0), jitter).seconds
    assert seconds >= min(SHORTEST_POLL_SECONDS, stale_hours * 3600 * 0.75)


@pytest.mark.parametrize(
    ("due_reason", "was_notified", "found_nothing", "reason"),
    [
        ("notified", True, True, "another_look"),
        ("notified", True, False, None),
        ("another_look", False, True, "last_look"),
        ("another_look", False, False, None),
        # A notification in between begins anew.
        ("another_look", True, True, "another_look"),
        ("last_look", False, True, None),
        ("poll_interval", False, True, None),
    ],
)
def test_a_push_that_came_before_its_change_is_followed_by_two_looks_within_a_minute(
    due_reason: str, was_notified: bool, found_nothing: bool, reason: str | None
) -> None:
    look = another_look(due_reason, was_notified=was_notified, found_nothing=found_nothing)

    assert (look.reason if look else None) == reason
    assert look is None or 0 < look.seconds < 60
