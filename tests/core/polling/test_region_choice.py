"""Through which region a channel is opened."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sync.core.polling.region_choice import FAIL_BACK_SECONDS, RegionHealth, choose_region

DOWN: dict[str, Any] = {"is_down": True}
JUST_WELL: dict[str, Any] = {"well_seconds": FAIL_BACK_SECONDS - 1}
WELL: dict[str, Any] = {"well_seconds": FAIL_BACK_SECONDS}


@pytest.mark.parametrize(
    ("home", "other", "name", "reason"),
    [
        ({}, {}, "eu", "home"),
        (DOWN, {}, "us", "failover"),
        (DOWN, DOWN, "eu", "all_down"),
        (JUST_WELL, {}, "us", "failover"),
        (WELL, {}, "eu", "home"),
        ({**WELL, "flaps": 1}, {}, "us", "failover"),
        ({"well_seconds": 2 * FAIL_BACK_SECONDS, "flaps": 1}, {}, "eu", "home"),
        (JUST_WELL, DOWN, "eu", "home"),
        (DOWN, JUST_WELL, "us", "failover"),
        (JUST_WELL, JUST_WELL, "eu", "home"),
    ],
)
def test_regions_fail_over_at_once_and_back_with_patience(
    home: dict[str, Any], other: dict[str, Any], name: str, reason: str
) -> None:
    choice = choose_region([RegionHealth("eu", **home), RegionHealth("us", **other)], 0)
    assert (choice.name, choice.reason) == (name, reason)


def test_all_regions_carry_their_share_also_of_one_that_is_down() -> None:
    regions = [RegionHealth(name, is_down=name == "b") for name in "abc"]
    assert Counter(choose_region(regions, number).name for number in range(600)) == {"a": 300, "c": 300}
    well = [RegionHealth(name) for name in "abc"]
    assert Counter(choose_region(well, number).name for number in range(600)) == {"a": 200, "b": 200, "c": 200}


def test_a_region_that_comes_and_goes_is_left_alone() -> None:
    """Half an hour well, a quarter of an hour ill, for a day: it is taken up again a few times only."""
    current, flaps, changes = "eu", -1, 0
    for minute in range(15, 1440):
        well = (minute % 45) - 15
        flaps += minute % 45 == 0
        regions = [RegionHealth("eu", well < 0, max(well, 0) * 60.0, max(flaps, 0)), RegionHealth("us")]
        changes += choose_region(regions, 0).name != current
        current = choose_region(regions, 0).name
    assert changes <= 3


def test_without_regions_there_is_no_choice() -> None:
    with pytest.raises(ValueError, match="no_regions"):
        choose_region([], 1)
