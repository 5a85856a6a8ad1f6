"""Whether a region's door is shut, and which region is taken."""

from __future__ import annotations

import math

import pytest

from sync.core.polling.belief import Belief
from sync.core.polling.ingress import (
    FAIL_BACK_SECONDS,
    RegionHealth,
    RegionTraffic,
    choose_region,
    judge_ingress,
    poisson_at_most,
    under_outage,
)


@pytest.mark.parametrize(
    ("traffic", "is_down"),
    [
        (RegionTraffic(1000, 0, 40.0), True),
        (RegionTraffic(1000, 3, 60.0), True),
        (RegionTraffic(1000, 0, 12.0), False),
        (RegionTraffic(1000, 900, 2000.0), False),
        (RegionTraffic(1000, 600, 2000.0), True),
        (RegionTraffic(4, 0, 40.0), False),
        (RegionTraffic(8, 0, 6.0, missed=6), True),
        (RegionTraffic(8, 1, 6.0, missed=6), False),
        (RegionTraffic(0, 0, 0.0), False),
    ],
    ids=["silence", "nearly", "could be chance", "a slow day", "half gone", "few", "all miss", "one came", "none"],
)
def test_many_silent_channels_are_one_cause(traffic: RegionTraffic, is_down: bool) -> None:
    assert judge_ingress(traffic).is_down is is_down


def test_chances_of_few_pushes() -> None:
    assert poisson_at_most(0, 3.0) == pytest.approx(math.exp(-3))
    assert poisson_at_most(2, 3.0) == pytest.approx(math.exp(-3) * 8.5)
    assert poisson_at_most(480, 500.0) == pytest.approx(poisson_at_most(480, 500.1), rel=0.02)
    assert poisson_at_most(5, 0.0) == 1.0


def test_an_outage_makes_its_calendars_doubtful_for_as_long_as_it_lasts() -> None:
    assert under_outage(Belief(doubt=0.1)).doubt == 0.9
    assert under_outage(Belief(doubt=0.95)).doubt == 0.95


WELL = {"well_seconds": FAIL_BACK_SECONDS}


@pytest.mark.parametrize(
    ("first", "second", "current", "name", "reason"),
    [
        ({}, {}, "first", "first", "stays"),
        ({}, {}, "gone", "first", "preferred"),
        ({"probe_failures": 2}, {}, "first", "first", "stays"),
        ({"probe_failures": 3}, {}, "first", "second", "failover"),
        ({"is_silent": True}, {}, "first", "second", "failover"),
        ({"is_silent": True}, {"is_silent": True}, "first", "first", "all_down"),
        ({"well_seconds": 600.0}, {}, "second", "second", "stays"),
        (WELL, {}, "second", "first", "failback"),
        ({**WELL, "flaps": 1}, {}, "second", "second", "stays"),
        ({"well_seconds": 2 * FAIL_BACK_SECONDS, "flaps": 1}, {}, "second", "first", "failback"),
        ({"well_seconds": 600.0}, {"is_silent": True}, "second", "first", "failover"),
    ],
)
def test_regions_fail_over_at_once_and_back_with_patience(
    first: dict[str, float], second: dict[str, float], current: str, name: str, reason: str
) -> None:
    regions = [RegionHealth("first", **first), RegionHealth("second", **second)]  # type: ignore[arg-type]
    choice = choose_region(regions, current)
    assert (choice.name, choice.reason) == (name, reason)


def test_a_region_that_comes_and_goes_is_left_alone() -> None:
    """Half an hour well, a quarter of an hour ill, for a day: it is taken up again a few times only."""
    current, flaps, changes = "first", 0, 0
    for minute in range(1440):
        well = (minute % 45) - 15
        regions = [
            RegionHealth("first", is_silent=well < 0, well_seconds=max(well, 0) * 60.0, flaps=flaps),
            RegionHealth("second"),
        ]
        choice = choose_region(regions, current)
        if choice.name != current:
            changes += 1
            flaps += choice.reason == "failover"
            current = choice.name
    assert changes <= 3


def test_without_regions_there_is_no_choice() -> None:
    with pytest.raises(ValueError, match="no_regions"):
        choose_region([], "first")
