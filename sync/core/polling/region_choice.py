"""Through which region a calendar's next channel is opened. Pure. Called by whoever opens channels.

Each calendar has a home, so that all regions carry their share. A region in trouble is left at once; it is gone back to
only after it was well for a while, twice as long with each trouble of a day: no calendar follows it back and forth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A region that came back is trusted again after this, doubled with each trouble that began within a day of another.
FAIL_BACK_SECONDS = 1800.0
_MOST_FLAPS = 5


@dataclass(frozen=True, slots=True)
class RegionHealth:
    """`well_seconds`: since its last trouble ended."""

    name: str
    is_down: bool = False
    well_seconds: float = math.inf
    flaps: int = 0

    @property
    def is_steady(self) -> bool:
        patience = FAIL_BACK_SECONDS * 2.0 ** min(self.flaps, _MOST_FLAPS)
        return not self.is_down and self.well_seconds >= patience


@dataclass(frozen=True, slots=True)
class RegionChoice:
    name: str
    reason: str


def choose_region(regions: Sequence[RegionHealth], calendar: int) -> RegionChoice:
    """`regions`: in the order of the settings, always the same. `calendar`: its id as a number, by which it is spread.
    Raises ValueError without any region."""
    if not regions:
        raise ValueError("no_regions")
    home = regions[calendar % len(regions)]
    if home.is_steady:
        return RegionChoice(home.name, "home")
    # One that was down a moment ago is taken only if none is steadier; a home that is well again before others.
    steady = [region for region in regions if region.is_steady]
    up = steady or ([home] if not home.is_down else [region for region in regions if not region.is_down])
    if not up:
        return RegionChoice(home.name, "all_down")
    chosen = up[calendar // len(regions) % len(up)]
    return RegionChoice(chosen.name, "home" if chosen is home else "failover")
