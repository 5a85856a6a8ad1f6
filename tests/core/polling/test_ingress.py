"""Whether a region's door is shut, by its probes, its misses and its silence."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import pytest

from sync.core.polling.belief import Belief
from sync.core.polling.ingress import (
    CALM,
    FLAPS_WITHIN,
    LONGEST_WINDOW,
    RESTED,
    TOLD_AFTER,
    Region,
    RegionTraffic,
    expected_pushes,
    judge_region,
    poisson_at_most,
    probed,
    under_outage,
)
from sync.core.polling.rhythm import EVEN, Rhythm
from sync.states import RegionState

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
HEALTHY, SILENT, SICK = RegionState.HEALTHY, RegionState.SILENT, RegionState.SICK
MINUTE = dt.timedelta(minutes=1)
EU = Region("eu", window_since=NOW - MINUTE)


@pytest.mark.parametrize(
    ("region", "traffic", "state", "reason"),
    [
        (EU, RegionTraffic(1000, 0, 40.0), SILENT, "silence"),
        (EU, RegionTraffic(1000, 3, 60.0), SILENT, "silence"),
        (EU, RegionTraffic(1000, 0, 12.0), HEALTHY, None),
        (EU, RegionTraffic(1000, 900, 2000.0), HEALTHY, None),
        (EU, RegionTraffic(1000, 600, 2000.0), SILENT, "silence"),
        (EU, RegionTraffic(4, 0, 40.0), HEALTHY, None),
        (replace(EU, calm_until=NOW + MINUTE), RegionTraffic(1000, 0, 40.0), HEALTHY, None),
        (replace(EU, calm_until=NOW - MINUTE), RegionTraffic(1000, 0, 40.0), SILENT, "silence"),
        (EU, RegionTraffic(8, 0, 6.0, missed=6, missing=5), SICK, "pushes_missed"),
        (EU, RegionTraffic(8, 9, 6.0, announced=9, missed=6, missing=5), HEALTHY, None),
        (EU, RegionTraffic(8, 0, 6.0, missed=6, missing=1), HEALTHY, None),
        (EU, RegionTraffic(8, 0, 40.0, missed=6, missing=5), SICK, "pushes_missed"),
        (replace(EU, probe_failures=3, probe_error="timeout"), RegionTraffic(), SICK, "probe_timeout"),
        (replace(EU, probe_failures=2, probe_error="timeout"), RegionTraffic(), HEALTHY, None),
        (EU, RegionTraffic(), HEALTHY, None),
    ],
    ids=[
        "silence", "nearly", "could be chance", "a slow day", "half gone", "few channels", "asked already",
        "asked long ago", "many miss", "more are announced", "one calendar misses", "misses say more than silence",
        "probes fail", "two probes fail", "nothing there",
    ],
)  # fmt: skip
def test_trouble_is_seen(region: Region, traffic: RegionTraffic, state: RegionState, reason: str | None) -> None:
    verdict = judge_region(region, traffic, NOW)
    assert (verdict.region.state, verdict.region.reason) == (state, reason)
    assert verdict.asks is (state is SILENT)
    assert verdict.region.since == (NOW if state is not HEALTHY else None)


silent = Region("eu", SILENT, "silence", since=NOW, window_since=NOW, asked_at=NOW)
missing = Region("eu", SICK, "pushes_missed", since=NOW, window_since=NOW)
unreachable = Region("eu", SICK, "probe_timeout", since=NOW, window_since=NOW)


@pytest.mark.parametrize(
    ("region", "traffic", "after", "reason"),
    [
        (silent, RegionTraffic(99, 4, 6.0), MINUTE, "pushes_come"),
        (silent, RegionTraffic(99, 4, 1.0), MINUTE, None),
        (silent, RegionTraffic(99, 0, 1.0, looks=20), TOLD_AFTER, "few_changes"),
        (silent, RegionTraffic(99, 0, 1.0, looks=20), TOLD_AFTER - MINUTE, None),
        (silent, RegionTraffic(99, 0, 1.0, looks=2), TOLD_AFTER, None),
        (silent, RegionTraffic(99, 0, 1.0, missed=1, missing=1, looks=20), TOLD_AFTER, None),
        (missing, RegionTraffic(99, 5, 6.0, announced=5), MINUTE, "pushes_come"),
        (missing, RegionTraffic(99, 5, 6.0, announced=5, missed=9, missing=2), MINUTE, None),
        (missing, RegionTraffic(99), RESTED, "tried_again"),
        (missing, RegionTraffic(99), RESTED - MINUTE, None),
        (replace(missing, probe_failures=1), RegionTraffic(99), RESTED, None),
        (replace(unreachable, probe_passes=3), RegionTraffic(), MINUTE, "probe_answers"),
        (replace(unreachable, probe_passes=2), RegionTraffic(), MINUTE, None),
    ],
)
def test_trouble_ends_with_patience(
    region: Region, traffic: RegionTraffic, after: dt.timedelta, reason: str | None
) -> None:
    now = NOW + after
    verdict = judge_region(region, traffic, now)
    assert verdict.region.state is (HEALTHY if reason else region.state)
    assert (verdict.region.reason, verdict.region.well_since) == (
        (reason, now) if reason else (region.reason, region.well_since)
    )
    assert verdict.region.calm_until == (now + CALM if reason == "few_changes" else None)
    assert not verdict.asks


def test_a_silence_whose_calendars_had_missed_changes_is_a_sickness() -> None:
    verdict = judge_region(silent, RegionTraffic(99, 0, 9.0, missed=7, missing=6, looks=9), NOW + TOLD_AFTER)
    assert (verdict.region.state, verdict.region.reason) == (SICK, "pushes_missed")
    assert verdict.region.left_at == silent.left_at, "one trouble, not two"


def test_what_keeps_missing_is_not_tried_again() -> None:
    verdict = judge_region(missing, RegionTraffic(99, missed=1, missing=1), NOW + RESTED)
    assert verdict.region.state is SICK
    assert verdict.starts_window


@pytest.mark.parametrize(
    ("traffic", "age", "starts"),
    [
        (RegionTraffic(99, 5, 9.0), MINUTE, True),
        (RegionTraffic(99, 4, 9.0), MINUTE, False),
        (RegionTraffic(99, 0, 0.0), MINUTE, False),
        (RegionTraffic(99, 5, 9.0, announced=1, missed=2, missing=2), MINUTE, False),
        (RegionTraffic(99, 0, 9.0), LONGEST_WINDOW + MINUTE, True),
    ],
)
def test_a_window_ends_once_enough_came(traffic: RegionTraffic, age: dt.timedelta, starts: bool) -> None:
    assert judge_region(replace(EU, window_since=NOW - age), traffic, NOW).starts_window is starts


def test_troubles_that_follow_each_other_are_counted() -> None:
    ill = RegionTraffic(1000, 0, 40.0)
    first = judge_region(EU, ill, NOW).region
    again = replace(first, state=HEALTHY)
    assert first.flaps == 0
    assert judge_region(again, ill, NOW + FLAPS_WITHIN - MINUTE).region.flaps == 1
    assert judge_region(again, ill, NOW + FLAPS_WITHIN).region.flaps == 0


def test_probes_are_counted_in_a_row() -> None:
    twice = probed(probed(EU, "timeout"), "status_502")
    assert (twice.probe_failures, twice.probe_passes, twice.probe_error) == (2, 0, "status_502")
    back = probed(twice, None)
    assert (back.probe_failures, back.probe_passes, back.probe_error) == (0, 1, None)


def test_chances_of_few_pushes() -> None:
    assert poisson_at_most(0, 3.0) == pytest.approx(math.exp(-3))
    assert poisson_at_most(2, 3.0) == pytest.approx(math.exp(-3) * 8.5)
    assert poisson_at_most(480, 500.0) == pytest.approx(poisson_at_most(480, 500.1), rel=0.02)
    assert poisson_at_most(5, 0.0) == 1.0


def test_pushes_are_expected_by_rate_and_by_the_hour_where_people_are() -> None:
    ago = NOW - dt.timedelta(minutes=6)
    assert expected_pushes({"UTC": 240.0, "Asia/Tokyo": 240.0}, EVEN, ago, NOW) == pytest.approx(2.0)
    # It is Thursday, 12 o'clock, and 21 in Tokyo.
    office = Rhythm(tuple(2.0 if hour % 24 < 12 else 0.0 for hour in range(168)))
    assert expected_pushes({"UTC": 240.0, "Asia/Tokyo": 240.0}, office, ago, NOW) == pytest.approx(2.0)
    assert expected_pushes({"Asia/Tokyo": 240.0}, office, ago, NOW) == 0.0


def test_of_time_in_which_nobody_counted_nothing_is_expected() -> None:
    assert expected_pushes({"UTC": 240.0}, EVEN, NOW - dt.timedelta(hours=3), NOW) == 0.0
    assert expected_pushes({"UTC": 240.0}, EVEN, NOW + MINUTE, NOW) == 0.0


def test_an_outage_makes_its_calendars_doubtful_for_as_long_as_it_lasts() -> None:
    assert under_outage(Belief(doubt=0.1)).doubt == 0.9
    assert under_outage(Belief(doubt=0.95)).doubt == 0.95
