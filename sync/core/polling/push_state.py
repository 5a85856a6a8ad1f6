"""How push stands for a calendar, as people are shown it, and why. Pure. Called at each sync's end; `calendar_status`
adds in SQL what has changed since, by the same order.

A state says nothing that the belief does not; the plan goes by the belief alone.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

from sync.core.polling.rhythm import Rhythm
from sync.states import PushState

# Silence is improbable where a living channel would be as silent in less than one case of twenty.
IMPROBABLE = 0.05
# A calendar without proof for so long, and without a sign of trouble.
QUIET_AFTER_DAYS = 1.0
# Less of its changes announced than this, by at least so many: push does not work for it.
FAILING_RECALL, FAILING_COUNTED = 0.5, 6.0
_STEP_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class PushFacts:
    """`expected_pushes`: since the last look, by the calendar's own rate, recall and rhythm. `counted`: changes by
    which its recall is judged. `missed_in_a_row`: `webhook_failures`. `unproven_days`: until now."""

    is_connected: bool = True
    paused_reason: str | None = None
    is_unsupported: bool = False
    has_channel: bool = True
    trouble_of_region: str | None = None
    missed_in_a_row: int = 0
    reopened_in_vain: int = 0
    recall: float = 1.0
    counted: float = 0.0
    expected_pushes: float = 0.0
    unproven_days: float = 0.0


@dataclass(frozen=True, slots=True)
class PushStanding:
    state: PushState
    reason: str | None = None


def push_standing(facts: PushFacts) -> PushStanding:
    """The first that holds."""
    return _unwatched(facts) or _failing(facts) or _suspect(facts) or _well(facts)


def is_improbable(expected_pushes: float) -> bool:
    """That a living channel is silent for so many pushes."""
    return math.exp(-expected_pushes) < IMPROBABLE


def odd_after_seconds(pushes_a_day: float, rhythm: Rhythm, hour: float, within_seconds: float) -> float | None:
    """When silence will be improbable, to a quarter of an hour; None: not `within_seconds`. `hour`: of the week."""

    def is_odd(step: int) -> bool:
        return is_improbable(pushes_a_day * rhythm.days(hour, step * _STEP_SECONDS / 3600.0))

    last = math.ceil(within_seconds / _STEP_SECONDS) - 1
    if last < 1 or not is_odd(last):
        return None
    # It only grows.
    return (1 + bisect_left(range(1, last), True, key=is_odd)) * _STEP_SECONDS


def _unwatched(facts: PushFacts) -> PushStanding | None:
    if not facts.is_connected:
        return PushStanding(PushState.DISCONNECTED, "disconnected")
    if facts.paused_reason:
        return PushStanding(PushState.PAUSED, facts.paused_reason)
    if facts.is_unsupported:
        return PushStanding(PushState.UNSUPPORTED, "push_unsupported")
    return None


def _failing(facts: PushFacts) -> PushStanding | None:
    if not facts.has_channel:
        return PushStanding(PushState.FAILING, "no_live_channel")
    if facts.missed_in_a_row > 1 or (facts.missed_in_a_row and facts.reopened_in_vain > 1):
        return PushStanding(PushState.FAILING, "missed_pushes")
    if facts.counted >= FAILING_COUNTED and facts.recall < FAILING_RECALL:
        return PushStanding(PushState.FAILING, "low_recall")
    return None


def _suspect(facts: PushFacts) -> PushStanding | None:
    if facts.trouble_of_region:
        return PushStanding(PushState.SUSPECT, f"region_{facts.trouble_of_region}")
    if facts.missed_in_a_row:
        return PushStanding(PushState.SUSPECT, "missed_push")
    if is_improbable(facts.expected_pushes):
        return PushStanding(PushState.SUSPECT, "improbable_silence")
    return None


def _well(facts: PushFacts) -> PushStanding:
    if facts.unproven_days > QUIET_AFTER_DAYS:
        return PushStanding(PushState.QUIET, "nothing_announced")
    return PushStanding(PushState.HEALTHY)
