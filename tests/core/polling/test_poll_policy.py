"""When a calendar is polled next, by tables."""

from __future__ import annotations

import datetime as dt

import pytest

from sync.core.polling.poll_policy import another_look, vouched_until

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
