"""What a sync's changes tell about push. Pure. Called at the end of every sync that listed changes incrementally.

Google says of each event when it was last changed (`updated`). A change is *announced* if a notification came for it,
and *missed* if it is older than a notification may be late and none had come since the last look. A younger one that
nobody announced is undecided: the next look will tell. Ages are seconds before the sync, so that no clock is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Notifications take seconds, and the clocks on both sides differ by some.
ANNOUNCED_WITHIN_SECONDS = 120.0
# What changes together counts as one change: a push for each would tell nothing new.
BURST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one sync. `changes`: bursts of them; `first_missed_seconds`: age of the oldest that was missed;
    `delay_seconds`: from a change to the notification that announced it, None if nothing was announced;
    `ages_seconds`: of the changes, oldest first."""

    changes: int = 0
    announced: int = 0
    missed: int = 0
    first_missed_seconds: float = 0.0
    delay_seconds: float | None = None
    was_notified: bool = False
    ages_seconds: tuple[float, ...] = ()


def weigh_changes(
    ages_seconds: Iterable[float | None], *, look_seconds: float, notified_seconds: float | None
) -> Evidence:
    """`ages_seconds`: of the changes (None for sparse tombstones, which prove nothing). `look_seconds`: of the last
    look. `notified_seconds`: of the first notification since that look; None: none came.

    Full listings name every event, changed or not: they are no evidence, and must not be weighed.
    """
    bursts = _bursts(age for age in ages_seconds if age is not None and age <= look_seconds)
    answered = 0.0 if notified_seconds is None else notified_seconds
    missed = [age for age in bursts if age > answered + ANNOUNCED_WITHIN_SECONDS]
    announced = [age for age in bursts if age <= answered + ANNOUNCED_WITHIN_SECONDS]
    if notified_seconds is None:
        return Evidence(len(bursts), 0, len(missed), max(missed, default=0.0), ages_seconds=tuple(bursts))
    delay = max(0.0, max(announced) - notified_seconds) if announced else None
    return Evidence(
        len(bursts),
        len(announced),
        len(missed),
        max(missed, default=0.0),
        delay,
        was_notified=True,
        ages_seconds=tuple(bursts),
    )


def _bursts(ages: Iterable[float]) -> list[float]:
    """The first of each burst, oldest first."""
    found: list[float] = []
    last = float("inf")
    for age in sorted(ages, reverse=True):
        if last - age > BURST_SECONDS:
            found.append(age)
        last = age
    return found
