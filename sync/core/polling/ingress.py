"""Whether pushes reach us at all, and through which region's door. Pure. Called by a duty, once a minute.

Many channels that are silent together have one cause, and it is not theirs: a door, a certificate, a proxy. Then there
is one finding, its channels move to another region if there is one, and its calendars are planned as if their channels
were dead, each when it is looked at next: at the price that holds, so that no storm comes of it.

Three signs: our own probe does not come back through the door; changes of many calendars were missed; or far fewer
pushes come than its calendars would send. The last may also be a holiday, so a few calendars are looked at: they tell.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from sync.core.polling.belief import Belief
from sync.core.polling.rhythm import Rhythm, hour_of_week
from sync.states import RegionState

# Not told of fewer channels: two neighbours on holiday are no outage.
FEWEST_CHANNELS = 5
# Pushes come in bursts, so half of those expected are taken as sure.
SURE_SHARE = 0.5
# One false alarm in some years of looking every minute.
IMPROBABLE = 1e-6
# So many expected pushes must come, by that share, for a silence to be over.
BACK_AFTER_EXPECTED, FEWEST_PUSHES = 5.0, 3.0
# Of a region that is out, a channel is probably as good as dead.
OUT_DOUBT = 0.9
# A probe may fail for reasons of its own, and may pass by luck.
DOWN_AFTER_PROBES, WELL_AFTER_PROBES = 3, 3
# A look at some calendars has told what it can after this: several turns of the driver, and a push's delay.
TOLD_AFTER = dt.timedelta(minutes=10)
# A silence that those explain is not asked about again for so long: the rest of a holiday's working day.
CALM = dt.timedelta(hours=6)
# A region that missed pushes is tried again after so long without another miss: once its channels have left, nothing
# else can tell.
RESTED = dt.timedelta(hours=1)
# Older evidence than this tells nothing of now; and of time in which nobody counted nothing is expected.
LONGEST_WINDOW, LONGEST_STEP = dt.timedelta(days=2), dt.timedelta(minutes=10)
FLAPS_WITHIN = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RegionTraffic:
    """Through one region's door since its window began. `pushes`: syncs that a notification asked for; `expected`: by
    its calendars' own rates, recalls and rhythm. `announced`, `missed`: changes found. `missing`: looks that found a
    missed one, so calendars nearly; `looks`: polls of its calendars."""

    channels: float = 0.0
    pushes: float = 0.0
    expected: float = 0.0
    announced: float = 0.0
    missed: float = 0.0
    missing: float = 0.0
    looks: float = 0.0


@dataclass(frozen=True, slots=True)
class Region:
    """What is known of one region. `since`: of its state. `well_since`: its last trouble ended; None: it had none.
    `flaps`: troubles that began within a day of the one before. `asked_at`: some calendars were looked at then, for the
    silence's sake; `calm_until`: they explained it."""

    name: str
    state: RegionState = RegionState.HEALTHY
    reason: str | None = None
    since: dt.datetime | None = None
    window_since: dt.datetime | None = None
    probe_failures: int = 0
    probe_passes: int = 0
    probe_error: str | None = None
    well_since: dt.datetime | None = None
    left_at: dt.datetime | None = None
    flaps: int = 0
    asked_at: dt.datetime | None = None
    calm_until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class RegionVerdict:
    """`starts_window`: what was counted until now is forgotten. `asks`: some of its calendars are to be looked at."""

    region: Region
    starts_window: bool = False
    asks: bool = False


def probed(region: Region, error_code: str | None) -> Region:
    """After a probe through its door; None: it came back."""
    if error_code is None:
        return replace(region, probe_failures=0, probe_passes=region.probe_passes + 1, probe_error=None)
    return replace(region, probe_failures=region.probe_failures + 1, probe_passes=0, probe_error=error_code)


def judge_region(region: Region, traffic: RegionTraffic, now: dt.datetime) -> RegionVerdict:
    """Its state now. Begins trouble at once, ends it with patience."""
    found = _trouble(region, traffic, now)
    if region.state is not RegionState.SICK and found and found[0] is not region.state:
        return _fall(region, *found, now)
    if region.state is RegionState.HEALTHY:
        return RegionVerdict(region, _is_window_over(region, traffic, now))
    why_well = _why_well(region, traffic, now)
    if why_well:
        calm_until = now + CALM if why_well == "few_changes" else None
        well = replace(
            region, state=RegionState.HEALTHY, reason=why_well, since=now, well_since=now, calm_until=calm_until
        )
        return RegionVerdict(well, starts_window=True)
    return RegionVerdict(region, starts_window=region.state is RegionState.SICK and traffic.missing > 0)


def _trouble(region: Region, traffic: RegionTraffic, now: dt.datetime) -> tuple[RegionState, str] | None:
    if region.probe_failures >= DOWN_AFTER_PROBES:
        return RegionState.SICK, f"probe_{region.probe_error}"
    if traffic.channels < FEWEST_CHANNELS:
        return None
    if traffic.missing >= FEWEST_CHANNELS and traffic.missed > traffic.announced:
        return RegionState.SICK, "pushes_missed"
    is_calm = region.calm_until is not None and now < region.calm_until
    if not is_calm and chance_of_silence(traffic) < IMPROBABLE:
        return RegionState.SILENT, "silence"
    return None


def _fall(region: Region, state: RegionState, reason: str, now: dt.datetime) -> RegionVerdict:
    fallen = replace(region, state=state, reason=reason, since=now, calm_until=None)
    if region.state is RegionState.HEALTHY:
        again = region.left_at is not None and now - region.left_at < FLAPS_WITHIN
        fallen = replace(fallen, left_at=now, flaps=region.flaps + 1 if again else 0)
    asks = state is RegionState.SILENT
    return RegionVerdict(replace(fallen, asked_at=now) if asks else fallen, starts_window=True, asks=asks)


def _why_well(region: Region, traffic: RegionTraffic, now: dt.datetime) -> str | None:
    if region.probe_failures:
        return None
    is_told = region.state is RegionState.SICK or traffic.expected >= BACK_AFTER_EXPECTED
    if is_told and traffic.pushes >= max(SURE_SHARE * traffic.expected, FEWEST_PUSHES):
        return "pushes_come" if traffic.announced >= traffic.missed else None
    if traffic.missing:
        return None
    if region.state is RegionState.SILENT:
        have_looked = region.asked_at is not None and now - region.asked_at >= TOLD_AFTER
        return "few_changes" if have_looked and traffic.looks >= FEWEST_CHANNELS else None
    if (region.reason or "").startswith("probe_"):
        return "probe_answers" if region.probe_passes >= WELL_AFTER_PROBES else None
    rested = region.window_since is not None and now - region.window_since >= RESTED
    return "tried_again" if rested else None


def _is_window_over(region: Region, traffic: RegionTraffic, now: dt.datetime) -> bool:
    """As many pushes came as are sure: the next silence begins now."""
    if traffic.pushes and traffic.pushes >= traffic.expected * SURE_SHARE and traffic.announced >= traffic.missed:
        return True
    return region.window_since is None or now - region.window_since > LONGEST_WINDOW


def chance_of_silence(traffic: RegionTraffic) -> float:
    """That so few pushes came if the door were open."""
    return poisson_at_most(int(traffic.pushes), traffic.expected * SURE_SHARE)


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


def expected_pushes(rates: Mapping[str, float], rhythm: Rhythm, since: dt.datetime, now: dt.datetime) -> float:
    """By `rates`, pushes a day of all channels in a time zone. Of longer than ten minutes nothing: then nobody counted
    what came."""
    if not dt.timedelta(0) < now - since <= LONGEST_STEP:
        return 0.0
    hours = (now - since).total_seconds() / 3600.0
    return sum(
        rate * rhythm.days(hour_of_week(since.astimezone(ZoneInfo(zone))), hours) for zone, rate in rates.items()
    )


def under_outage(belief: Belief) -> Belief:
    """By which a calendar of a region that is out is judged and planned: its misses have that cause. Its doubt is not
    stored: the channel itself may live."""
    return replace(belief, doubt=max(belief.doubt, OUT_DOUBT))
