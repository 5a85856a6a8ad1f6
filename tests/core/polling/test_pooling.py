"""What all calendars tell of a new one."""

from __future__ import annotations

import pytest

from sync.core.polling.belief import Pool
from sync.core.polling.pooling import Census, pool_of


def census_of(rates: list[float], recalls: list[float], deaths: float = 0.0, days: float = 0.0) -> Census:
    return Census(len(rates), sum(rates), sum(r * r for r in rates), len(recalls), sum(recalls), deaths, days)


def test_nothing_known_is_the_first_belief() -> None:
    assert pool_of(Census()) == Pool()


def test_many_calendars_outweigh_it() -> None:
    pool = pool_of(census_of([6.0, 10.0] * 500, [0.7] * 1000, deaths=99.0, days=940.0))
    assert pool.rate == pytest.approx(8.0, rel=0.01)
    assert pool.recall == pytest.approx(0.7, rel=0.01)
    assert pool.hazard == pytest.approx(0.1)


def test_the_more_calendars_differ_the_less_their_mean_weighs() -> None:
    alike, unlike = pool_of(census_of([6.0, 10.0] * 50, [])), pool_of(census_of([0.1, 15.9] * 50, []))
    assert alike.rate_changes > 4 * unlike.rate_changes
    assert pool_of(census_of([3.0] * 100, [])).rate_changes == 5.0
