"""What all calendars tell of a new one."""

from __future__ import annotations

import pytest

from sync.core.polling.belief import Pool
from sync.core.polling.pooling import Census, pool_of


def census_of(rates: list[float], **sums: float) -> Census:
    return Census(len(rates), sum(rates), sum(r * r for r in rates), **sums)  # type: ignore[arg-type]


def test_nothing_known_is_the_first_belief() -> None:
    assert pool_of(Census()) == Pool()


def test_many_calendars_outweigh_it() -> None:
    pool = pool_of(
        census_of(
            [6.0, 10.0] * 500, good=750, poor=250, announced=9_000.0, missed=1_000.0, deaths=99.0, channel_days=940.0
        )
    )
    assert pool.rate == pytest.approx(8.0, rel=0.01)
    assert pool.recall == pytest.approx(0.9, rel=0.01)
    assert pool.poor == pytest.approx(0.25, rel=0.01)
    assert pool.hazard == pytest.approx(0.1)


def test_the_more_calendars_differ_the_less_their_mean_weighs() -> None:
    alike, unlike = pool_of(census_of([6.0, 10.0] * 50)), pool_of(census_of([0.1, 15.9] * 50))
    assert alike.rate_changes > 4 * unlike.rate_changes
    assert pool_of(census_of([3.0] * 100)).rate_changes == 5.0
