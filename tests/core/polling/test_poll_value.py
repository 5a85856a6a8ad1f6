"""When a poll is worth its price: against the derivative it comes from, and against the best there is."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import pytest

from sync.core.polling.belief import died_by
from sync.core.polling.poll_value import (
    LONGEST_DAYS,
    SHORTEST_DAYS,
    PollTable,
    days_to_poll,
    poll_table,
    poll_value,
    stale_chance,
)

HAZARD = 1 / 30
CASES = list(product((0.2, 1.0, 5.0, 20.0), (0.8, 0.98, 1.0), (0.0, 0.05, 0.6), (0.004, 0.02)))


def cycle(rate: float, recall: float, doubt: float, days: float) -> tuple[float, float, float]:
    """S, ψ and w, integrated step by step from what they mean."""
    steps = 4000
    width = days / steps
    silent_days = fresh_days = 0.0
    alive, dead = 1.0 - doubt, doubt
    for n in range(steps):
        fresh_days += math.exp(-rate * (n + 0.5) * width) * width
        silent_days += (alive + dead) * width
        died = alive * HAZARD * width
        alive += -died - alive * recall * rate * width
        dead += died
    return alive + dead, silent_days, fresh_days


@pytest.mark.parametrize(("rate", "recall", "doubt", "price"), CASES[::5])
def test_no_other_time_makes_a_better_cycle(rate: float, recall: float, doubt: float, price: float) -> None:
    best = days_to_poll(rate, recall, doubt, HAZARD, price)

    def gain(days: float) -> float:
        silent, silent_days, fresh_days = cycle(rate, recall, doubt, days)
        return (fresh_days - price * silent) / silent_days

    others = [best * factor for factor in (0.5, 0.8, 1.25, 2.0)]
    assert gain(best) >= max(gain(days) for days in others if days <= LONGEST_DAYS) - 1e-4


def run_cost(policy: Callable[[float], float], rate: float, recall: float, price: float) -> float:
    """Staleness and price a day of a sequence of looks, from one proof of life to the next."""
    age, reach, stale, polls, length = 0.0, 1.0, 0.0, 0.0, 0.0
    while reach > 1e-6:
        doubt = died_by(0.0, HAZARD, age)
        days = policy(age)
        silent, silent_days, fresh_days = exact(rate, recall, doubt, days)
        stale += reach * (silent_days - fresh_days)
        polls += reach * silent
        length += reach * silent_days
        reach *= math.exp(-rate * days)
        age += days
    return (stale + price * polls) / length


def exact(rate: float, recall: float, doubt: float, days: float) -> tuple[float, float, float]:
    leaving = recall * rate + HAZARD
    speechless = math.exp(-leaving * days)
    mean = (1.0 - speechless) / leaving
    died = HAZARD / leaving
    silent = (1.0 - doubt) * (speechless + died * (1.0 - speechless)) + doubt
    silent_days = (1.0 - doubt) * (mean + died * (days - mean)) + doubt * days
    return silent, silent_days, (1.0 - math.exp(-rate * days)) / rate


def least_cost(rate: float, recall: float, price: float) -> float:
    """Of all sequences of looks at whole hours, by dynamic programming over the age of the last proof of life."""
    hours, ages = 24, 150
    ways = [
        [exact(rate, recall, died_by(0.0, HAZARD, age / 24), hour / 24) for hour in range(1, hours + 1)]
        for age in range(ages + 1)
    ]
    stays = [math.exp(-rate * hour / 24) for hour in range(1, hours + 1)]

    def surplus(cost: float) -> float:
        def own(age: int, n: int) -> float:
            silent, silent_days, fresh_days = ways[age][n]
            return silent_days - fresh_days - cost * silent_days + price * silent

        value = [min(own(ages, n) / (1.0 - stays[n]) for n in range(hours))] * (ages + hours + 1)
        for age in range(ages - 1, -1, -1):
            value[age] = min(own(age, n) + stays[n] * value[age + n + 1] for n in range(hours))
        return value[0]

    low, high = 0.0, 1.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if surplus(middle) > 0 else (low, middle)
    return high


@pytest.mark.parametrize(("rate", "recall", "price"), [(1.0, 0.98, 0.004), (5.0, 0.98, 0.02), (5.0, 0.8, 0.02)])
def test_the_value_loses_next_to_nothing_against_the_best_sequence_of_looks(
    rate: float, recall: float, price: float
) -> None:
    def policy(age: float) -> float:
        return days_to_poll(rate, recall, died_by(0.0, HAZARD, age), HAZARD, price)

    assert run_cost(policy, rate, recall, price) <= least_cost(rate, recall, price) * 1.02


def test_without_signals_it_is_the_known_formula() -> None:
    rate, days = 3.0, 0.4
    known = (1.0 - (1.0 + rate * days) * math.exp(-rate * days)) / rate
    assert poll_value(rate, 0.0, 1.0, 0.0, days) == pytest.approx(known)


def test_a_dearer_poll_and_a_surer_channel_wait_longer() -> None:
    for rate, recall in product((0.05, 1.0, 30.0), (0.0, 0.9, 1.0)):
        by_price = [days_to_poll(rate, recall, 0.01, HAZARD, price) for price in (0.0001, 0.001, 0.01, 0.1)]
        by_doubt = [days_to_poll(rate, recall, doubt, HAZARD, 0.005) for doubt in (1.0, 0.5, 0.1, 0.0)]
        assert by_price == sorted(by_price)
        assert by_doubt == sorted(by_doubt)
        assert SHORTEST_DAYS <= by_price[0] <= by_price[-1] <= LONGEST_DAYS


def test_the_table_says_what_is_worked_out() -> None:
    table = PollTable(HAZARD, 0.005)
    for rate, recall, doubt in product(
        (0.004, 0.13, 0.9, 7.0, 55.0), (0.0, 0.5, 0.93, 0.99, 1.0), (0.0, 0.02, 0.3, 1.0)
    ):
        exactly = days_to_poll(rate, recall, doubt, HAZARD, 0.005)
        assert table.days(rate, recall, doubt) == pytest.approx(exactly, rel=0.12), (rate, recall, doubt)
    assert table.days(1e-9, 0.9, 0.0) == LONGEST_DAYS


def test_a_moving_price_asks_for_few_tables() -> None:
    prices = [0.003 * 1.001**n for n in range(1000)]
    tables = {id(poll_table(HAZARD, price)): poll_table(HAZARD, price) for price in prices}
    assert len(tables) < 25
    assert all(poll_table(HAZARD, price).price_days == pytest.approx(price, rel=0.03) for price in prices)


def test_no_calendar_is_given_up_because_it_changes_too_fast() -> None:
    price = 0.005
    waits = [days_to_poll(rate, 0.0, 1.0, 0.0, price) for rate in (1.0, 10.0, 90.0, 500.0, 1e6)]
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] == pytest.approx(3.36 * price, rel=0.01)


def test_staleness_grows_with_silence_and_with_doubt() -> None:
    assert stale_chance(2.0, 1.0, 0.0, 0.0, 0.5) == pytest.approx(0.0)
    assert stale_chance(2.0, 0.0, 0.0, 0.0, 0.5) == pytest.approx(1 - math.exp(-1))
    grown = [stale_chance(2.0, 0.95, 0.05, HAZARD, days) for days in (0.01, 0.1, 0.5, 1.0)]
    assert grown == sorted(grown)
