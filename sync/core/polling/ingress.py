"""Whether pushes reach us at all, and through which region's door. Pure. Called by a duty, every few minutes.

Many channels that are silent together have one cause, and it is not theirs: a door, a certificate, a proxy. Then one
alert is raised, no channel is re-opened through that door, and its calendars are polled as if their channels were dead:
at the price that holds, so that no storm comes of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync.core.polling.belief import Belief

# Not told of fewer channels: two neighbours on holiday are no outage.
FEWEST_CHANNELS = 5
# Pushes come in bursts, so half of those expected are taken as sure.
SURE_SHARE = 0.5
# One false alarm in some years of looking every five minutes.
IMPROBABLE = 1e-6
# Of a region that is out, a channel is probably as good as dead.
OUT_DOUBT = 0.9
# A self-probe may fail for reasons of its own.
DOWN_AFTER_PROBES = 3
# A region that came back is trusted again after this, doubled with each time it was left within a day.
FAIL_BACK_SECONDS = 1800.0
_MOST_FLAPS = 5


@dataclass(frozen=True, slots=True)
class RegionTraffic:
    """Of one region's live channels in the last window: pushes that came, pushes that would be expected by the
    calendars' own rates, recalls and rhythm, and calendars whose poll found a missed push."""

    channels: int
    pushes: int
    expected: float
    missed: int = 0


@dataclass(frozen=True, slots=True)
class IngressVerdict:
    """`chance`: that so few came if the door were open."""

    is_down: bool
    chance: float


def judge_ingress(traffic: RegionTraffic) -> IngressVerdict:
    """Silence of many, or misses of many and not one push."""
    chance = poisson_at_most(traffic.pushes, traffic.expected * SURE_SHARE)
    if traffic.channels < FEWEST_CHANNELS:
        return IngressVerdict(False, chance)
    missed_by_many = traffic.missed >= FEWEST_CHANNELS and not traffic.pushes
    return IngressVerdict(chance < IMPROBABLE or missed_by_many, chance)


def poisson_at_most(count: int, mean: float) -> float:
    """P(N ≤ count). By the normal curve where sums would be long."""
    if mean <= 0.0:
        return 1.0
    if mean > 500.0:
        return 0.5 * math.erfc((mean - count - 0.5) / math.sqrt(2.0 * mean))
    term = total = math.exp(-mean)
    for n in range(1, count + 1):
        term *= mean / n
        total += term
    return min(total, 1.0)


def under_outage(belief: Belief) -> Belief:
    """By which a calendar of a region that is out is planned. It is not stored: the channel itself may live."""
    return replace(belief, doubt=max(belief.doubt, OUT_DOUBT))


@dataclass(frozen=True, slots=True)
class RegionHealth:
    """`well_seconds`: since its last trouble. `flaps`: times that it was left within a day."""

    name: str
    probe_failures: int = 0
    is_silent: bool = False
    well_seconds: float = math.inf
    flaps: int = 0

    @property
    def is_down(self) -> bool:
        return self.is_silent or self.probe_failures >= DOWN_AFTER_PROBES


@dataclass(frozen=True, slots=True)
class RegionChoice:
    name: str
    reason: str


def choose_region(regions: Sequence[RegionHealth], current: str) -> RegionChoice:
    """Where new channels are opened. `regions`: best liked first. Raises ValueError without any."""
    if not regions:
        raise ValueError("no_regions")
    present = next((region for region in regions if region.name == current), None)
    if present is None or present.is_down:
        up = [region for region in regions if not region.is_down]
        if not up:
            return RegionChoice(current if present else regions[0].name, "all_down")
        # One that was down a moment ago is taken only if none is steadier.
        steady = next((region for region in up if _is_steady(region)), up[0])
        return RegionChoice(steady.name, "failover" if present else "preferred")
    for region in regions:
        if region.name == current:
            break
        if not region.is_down and _is_steady(region):
            return RegionChoice(region.name, "failback")
    return RegionChoice(current, "stays")


def _is_steady(region: RegionHealth) -> bool:
    return region.well_seconds >= FAIL_BACK_SECONDS * 2.0 ** min(region.flaps, _MOST_FLAPS)
