"""The price of a poll follows the budget; Google's day; what is to be expected."""

from __future__ import annotations

import datetime as dt

import pytest

from sync.core.polling.price import (
    FIRST_PRICE_SECONDS,
    LEAST_PRICE_SECONDS,
    MOST_PRICE_SECONDS,
    GooglesDay,
    Price,
    allowance,
    follow_budget,
    forecast,
    googles_day,
)

STEP = 300.0


def spend(price: Price, days: float, allowed: float, demand: float) -> Price:
    """Polls fall with the root of the price, as the plan's do."""
    for _ in range(int(days * 86400 / STEP)):
        calls = demand * (FIRST_PRICE_SECONDS / price.seconds) ** 0.5 * STEP / 86400
        price = follow_budget(price, calls, STEP, allowed)
    return price


@pytest.mark.parametrize("demand", [6_000.0, 10_000.0, 40_000.0])
def test_spending_comes_to_the_budget_and_stays(demand: float) -> None:
    settled = spend(Price(), 6, 10_000.0, demand)
    assert settled.calls_per_day == pytest.approx(10_000.0, rel=0.05)
    assert spend(settled, 3, 10_000.0, demand).seconds == pytest.approx(settled.seconds, rel=0.1)


def test_a_budget_cut_to_a_tenth_is_kept_within_days() -> None:
    settled = spend(Price(), 6, 10_000.0, 10_000.0)
    assert spend(settled, 5, 1_000.0, 10_000.0).calls_per_day == pytest.approx(1_000.0, rel=0.15)


def test_abundance_makes_no_poll_free_and_scarcity_none_impossible() -> None:
    assert spend(Price(), 10, 1e9, 100.0).seconds == LEAST_PRICE_SECONDS
    assert spend(Price(), 20, 0.0, 1e6).seconds == MOST_PRICE_SECONDS


def test_one_step_never_moves_it_far() -> None:
    assert follow_budget(Price(300.0, 1e9), 1e9, 86400.0, 1.0).seconds <= 450.0
    assert follow_budget(Price(300.0, 1e9), 0.0, 86400.0, 1e9).seconds >= 200.0


def test_no_time_changes_nothing() -> None:
    assert follow_budget(Price(300.0, 5.0), 0.0, 0.0, 10.0) == Price(300.0, 5.0)


@pytest.mark.parametrize(
    ("spent", "elapsed", "allowed"),
    [(0.0, 0.0, 1000.0), (500.0, 0.5, 1000.0), (750.0, 0.5, 500.0), (2000.0, 0.5, 0.0), (0.0, 0.9, 2000.0)],
)
def test_what_is_left_of_the_day_is_spread_over_the_rest_of_it(spent: float, elapsed: float, allowed: float) -> None:
    assert allowance(1000.0, spent, elapsed) == pytest.approx(allowed)


@pytest.mark.parametrize(
    ("now", "date", "elapsed"),
    [
        ("2026-11-25T08:00:00+00:00", "2026-11-25", 0.0),
        ("2026-11-25T07:59:59+00:00", "2026-11-24", 1.0),
        ("2026-11-25T20:00:00+00:00", "2026-11-25", 0.5),
        ("2026-03-08T20:00:00+00:00", "2026-03-08", 12 / 23),
        ("2026-11-01T20:00:00+00:00", "2026-11-01", 13 / 25),
    ],
    ids=["midnight", "before it", "noon", "a day of 23 hours", "of 25"],
)
def test_googles_day_is_californias(now: str, date: str, elapsed: float) -> None:
    day = googles_day(dt.datetime.fromisoformat(now))
    assert day.date == dt.date.fromisoformat(date)
    assert day.elapsed == pytest.approx(elapsed, abs=1e-4)


def test_forecast_of_day_and_month() -> None:
    day = GooglesDay(dt.date(2026, 12, 30), 0.5)
    seen = forecast(400.0, 10_000.0, 1000.0, day, free_per_day=1000.0)
    assert (seen.today, seen.month, seen.exhausted_in_days) == (900.0, 11_500.0, None)
    assert forecast(800.0, 0.0, 1000.0, day, free_per_day=1000.0).exhausted_in_days == pytest.approx(0.2)
    assert forecast(1200.0, 0.0, 0.0, day, free_per_day=1000.0).exhausted_in_days == 0.0
