"""What every rule of alerts is made of: thresholds that open and let go, and findings. Pure. Called by the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sync.alert_model import Finding, Observations
from sync.states import AlertKind, AlertSeverity

# What is critical by its share is so from this many on.
LEAST_CRITICAL = 10
# Nobody counts further, and no share asks for more.
COUNTED_TO = 10_000

# Whether an alert with this key is open.
IsOpen = Callable[[str], bool]
Found = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator decides. `failure_share`: of the syncs of a quarter of an hour."""

    failure_share: float = 0.1


def exceeds(value: float, opens: float, stays: float, is_open: bool) -> bool:
    """Opens at one threshold and lets go below a lower one: what swings around a threshold does not flap."""
    return value >= (stays if is_open else opens)


def finding(
    kind: AlertKind,
    sentence: str,
    *,
    calendars: int | None = None,
    cause: str | None = None,
    critical: bool = False,
    which: str = "",
) -> Finding:
    """`which`: of several of a kind, where each is an alert of its own."""
    severity = AlertSeverity.CRITICAL if critical else AlertSeverity.WARNING
    return Finding(kind, f"{kind}:{which}" if which else str(kind), severity, calendars, cause, sentence)


def share_of(calendars: int, share: float, least: float) -> float:
    """So many of all calendars, and `least` of few."""
    return min(max(least, share * calendars), COUNTED_TO)


def many(number: int, calendars: int, share: float) -> bool:
    return number >= share_of(calendars, share, LEAST_CRITICAL)


def counted(number: int) -> str:
    return f"{number:,}" if number < COUNTED_TO else f"{number:,} or more"


def mostly(cause: str | None) -> str:
    return f"; most: {cause}" if cause else ""


def minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds < 7200 else f"{seconds / 3600:,.1f} hours"


Rule = Callable[[Observations, Limits, IsOpen], Found]
