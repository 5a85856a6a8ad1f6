"""The rules on a fast clock: what they promise of whole months, on fixed seeds."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from scripts.polling.knowing import Informed
from scripts.polling.policies import Budgeted, Ours, Policy, SixHours, Watched
from scripts.polling.report import Point, Size, calls_at, curves, stale_at
from scripts.polling.run import Run
from scripts.polling.world import Mix, make_world
from tests.workflows.cron_service import ROOT

SMALL = Size(calendars=60, days=20, seeds=1)
PRICES = (0.0015, 0.004, 0.012)
FEW = make_world(40, 20, 7, Mix())


@pytest.fixture(scope="module")
def month() -> dict[type[Policy], list[Point]]:
    return curves(((Ours, PRICES), (SixHours, (1.0,)), (Informed, PRICES[1:])), Mix(), SMALL)


def test_a_quarter_of_the_six_hour_rules_calls_is_saved_at_its_staleness(
    month: dict[type[Policy], list[Point]],
) -> None:
    (rule,) = month[SixHours]
    needed = calls_at(month[Ours], rule.stale)
    assert needed is not None
    assert needed <= 0.75 * rule.calls


def test_twenty_days_and_sixty_calendars_teach_most_of_what_there_is_to_know(
    month: dict[type[Policy], list[Point]],
) -> None:
    ours, told = stale_at(month[Ours], 1.9), stale_at(month[Informed], 1.9)
    assert ours is not None
    assert told is not None
    assert ours <= 1.6 * told


def test_the_price_finds_its_budget_by_itself() -> None:
    world = make_world(50, 21, 5, Mix())
    result = Run(world, Budgeted(world, 3.0), 5).go()
    assert sum(result.daily[-7:]) / 7 == pytest.approx(3.0, rel=0.12)


def test_a_dead_channel_is_noticed_at_ten_changes_a_day_with_six_polls() -> None:
    world = make_world(30, 20, 3, Mix(rate=10.0, recall=0.98, is_even=True))
    result = Run(world, Ours(world, 0.0006), 3).go()
    noticed = sorted(result.noticeable)
    assert result.polls <= 6.0
    assert noticed[len(noticed) // 2] * 24 < 2.0


def test_every_bound_is_kept_and_no_change_is_lost() -> None:
    """A look is never later than a day after the one before, and each change is known or still waiting."""

    class Noting(Ours):
        longest = 0.0

        def looked(self, calendar: Watched, at: float, pending: list[float], is_notified: bool) -> bool:
            self.longest = max(self.longest, at - calendar.last_look)
            return super().looked(calendar, at, pending, is_notified)

    policy = Noting(FEW, 0.5)
    result = Run(FEW, policy, 1).go()
    assert 0.5 < policy.longest <= 1.0 + 1e-9
    changes = sum(len(truth.changes) for truth in FEW.calendars)
    assert changes - 40 * 20 < len(result.waits) <= changes
    assert max(result.waits) <= policy.longest


def test_perfect_push_leaves_nothing_stale_and_no_push_leaves_the_polls() -> None:
    perfect = make_world(20, 10, 2, Mix(deaths=0.0, recall=1.0))
    assert Run(perfect, SixHours(perfect, 1.0), 1).go().stale == 0.0
    silent = make_world(60, 20, 2, Mix(deaths=0.0, recall=0.0, rate=4.0, is_even=True))
    polled = Run(silent, Policy(silent, 0.5), 1).go()
    # Of a period p at rate r the share 1 - (1 - e^-rp)/rp is stale.
    assert polled.stale == pytest.approx(1 - (1 - 2.718281828**-2) / 2, rel=0.05)


def test_an_outage_of_a_region_makes_no_storm_of_polls() -> None:
    world = make_world(50, 14, 4, Mix(deaths=0.0))
    out = replace(world, outages=[[(8.3, 9.3)]] * 3)
    result = Run(out, Ours(out, 0.004), 1).go()
    before, during = sum(result.daily[4:8]) / 4, max(result.daily[8:11])
    assert during < 3 * before


def test_the_command_prints_the_aims_and_draws_a_small_figure(tmp_path: object) -> None:
    figure = f"{tmp_path}/figure.svg"
    command = [
        sys.executable,
        "scripts/simulate_polling",
        "--calendars",
        "4",
        "--days",
        "8",
        "--seeds",
        "1",
        "--svg",
        figure,
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.count("aim: ") >= 4
    drawn = ElementTree.parse(figure)  # noqa: S314
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}polyline")) == 8


def test_the_committed_figure_is_small() -> None:
    assert 5_000 < (ROOT / "docs" / "polling.svg").stat().st_size < 60_000
