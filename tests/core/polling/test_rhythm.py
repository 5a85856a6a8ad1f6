"""Change time: hours of the week weigh what changes they see."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from sync.core.polling.rhythm import CLASSES, EVEN, HOURS, class_of, hour_of_week, rhythm_from_counts

# Eight office hours of a working day see ten changes each, other hours of it one, the weekend none.
OFFICE = rhythm_from_counts(
    [1000.0 if 9 <= hour < 17 else 100.0 for hour in range(24)] + [0.0] * 24, [500.0] * 24 + [200.0] * 24
)


@pytest.mark.parametrize("start", [0.0, 12.25, 100.0, 167.99])
@pytest.mark.parametrize("rhythm", [EVEN, OFFICE])
def test_a_week_is_seven_days_of_change_time_from_wherever_it_begins(rhythm: object, start: float) -> None:
    assert OFFICE.days(start, HOURS) == pytest.approx(7.0)
    assert OFFICE.days(start, 3 * HOURS + 5.0) == pytest.approx(21.0 + OFFICE.days(start, 5.0))


def test_even_time_is_the_clocks() -> None:
    assert EVEN.days(20.5, 30.0) == pytest.approx(30 / 24)


def test_a_night_is_short_and_a_morning_long() -> None:
    night, morning = OFFICE.days(20.0, 8.0), OFFICE.days(9.0, 8.0)
    assert morning == pytest.approx(10 * night, rel=0.05)
    assert 0 < OFFICE.days(5 * 24.0, 48.0) < night


def test_parts_of_a_time_sum_up_to_it() -> None:
    ends = [3.3, 3.9, 27.0, 60.5, 200.0]
    parts = sum(OFFICE.days(start % HOURS, end - start) for start, end in pairwise(ends))
    assert parts == pytest.approx(OFFICE.days(ends[0], ends[-1] - ends[0]))


def test_what_was_never_watched_is_taken_for_even() -> None:
    """On the first Monday nothing is known of other days, and Monday is not busier for it."""
    hours = [200.0] * 24 + [0.0] * 24
    rhythm = rhythm_from_counts([20.0] * 24 + [0.0] * 24, hours)
    assert rhythm.weights == pytest.approx([1.0] * HOURS, rel=0.05)
    assert rhythm_from_counts([0.0] * CLASSES, [0.0] * CLASSES).weights == EVEN.weights


def test_classes_tell_working_days_from_the_weekend() -> None:
    assert [class_of(hour) for hour in (0, 23.9, 24, 119, 120, 167, 168)] == [0, 23, 0, 23, 24, 47, 0]


def test_the_hour_of_the_week_is_of_the_local_time() -> None:
    assert hour_of_week(dt.datetime(2026, 3, 10, 12, 30, tzinfo=dt.UTC)) == 36.5
