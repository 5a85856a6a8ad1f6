"""The aims of the plan, met or not, and by what limit. Printed by `scripts/simulate_polling`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.polling.knowing import Clairvoyant, Informed, Learner
from scripts.polling.policies import Ours, SixHours
from scripts.polling.report import (
    AS_IT_COMES,
    INDEPENDENT,
    KNOWING,
    PRICES,
    TEN_A_DAY,
    TEN_IN_OFFICES,
    Curves,
    Point,
    Size,
    calls_at,
    curves,
    stale_at,
)

BUDGET = 2.0
# Polls of at most six a day: prices to choose from, the cheapest that keeps to it.
_TEN_PRICES = (0.0004, 0.0006, 0.0008, 0.0012)
_MOST_POLLS = 6.0


@dataclass(frozen=True, slots=True)
class Aim:
    """`limit`: what no policy of its kind can do better, measured in the same worlds."""

    what: str
    wanted: str
    found: str
    is_met: bool
    limit: str

    def line(self) -> str:
        return (
            f"{'met    ' if self.is_met else 'NOT met'}  {self.what}: {self.found} (aim: {self.wanted}). {self.limit}"
        )


def aims(as_it_comes: Curves, size: Size) -> Iterator[Aim]:
    learners = curves(((Learner, PRICES),), AS_IT_COMES, size)
    yield _against_clairvoyant("staleness where channels die", {**as_it_comes, **learners}, 1.35)
    independent = curves(KNOWING, INDEPENDENT, size)
    yield _against_clairvoyant("staleness where misses are independent", independent, 1.1)
    yield _fewer_polls(as_it_comes)
    yield from _detection(size)


def _against_clairvoyant(what: str, found: Curves, most: float) -> Aim:
    ours, taught, told, best = (stale_at(found[policy], BUDGET) for policy in (Ours, Learner, Informed, Clairvoyant))
    if not ours or not taught or not told or not best:
        return Aim(what, f"≤ {most} of the clairvoyant's", "not measured", False, f"No figures at {BUDGET} calls.")
    limit = (
        f"Told all but when a channel dies, one comes to {told / best:.2f}; and who is told but the distribution from"
        f" which recalls are drawn, not each, to {taught / best:.2f}; ours is {ours / taught:.2f} of that."
    )
    return Aim(
        f"{what}, {BUDGET:g} calls a day",
        f"≤ {most}",
        f"{ours / best:.2f} of the clairvoyant's",
        ours <= most * best,
        limit,
    )


def _fewer_polls(found: Curves) -> Aim:
    rule = next(point for point in found[SixHours] if point.dial == 1.0)
    ours, told = calls_at(found[Ours], rule.stale), calls_at(found[Informed], rule.stale)
    what = f"polls for the six-hour rule's staleness ({rule.stale:.2%})"
    if not ours or not told:
        return Aim(what, "≥ 25 % fewer", "not measured", False, "")
    saved, most = 1 - ours / rule.calls, 1 - told / rule.calls
    return Aim(
        what,
        "≥ 25 % fewer",
        f"{saved:.0%} fewer, {ours:.2f} for {rule.calls:.2f}",
        saved >= 0.25,
        f"Told all rates: {most:.0%}.",
    )


def _detection(size: Size) -> Iterator[Aim]:
    few = Size(min(size.calendars, max(60, size.calendars // 10)), size.days, size.seeds, size.processes)
    for name, mix in (("changes at any hour", TEN_A_DAY), ("changes in office hours", TEN_IN_OFFICES)):
        found = curves(((Ours, _TEN_PRICES), (SixHours, (0.3, 0.4, 0.5))), mix, few)
        ours, evenly = (_within(found[policy]) for policy in (Ours, SixHours))
        what = f"detection of a dead channel at ten changes a day, {name}"
        if not ours or not evenly or ours.detection is None or ours.noticing is None or evenly.detection is None:
            yield Aim(what, "< 3 h", "not measured", False, "")
            continue
        limit = (
            f"{ours.noticing:.1f} h after the first change that it missed, before which nothing can tell;"
            f" a poll after each silence of the same length, {evenly.polls:.1f} a day: {evenly.detection:.1f} h."
        )
        yield Aim(
            what,
            "< 3 h, ≤ 6 polls a day",
            f"{ours.detection:.1f} h, {ours.polls:.1f} polls",
            ours.detection < 3.0,
            limit,
        )


def _within(points: list[Point]) -> Point | None:
    allowed = [point for point in points if point.polls <= _MOST_POLLS]
    return max(allowed, key=lambda point: point.polls, default=None)
