"""What is wrong with calendars: they fail, are late, lose their channels or their users, or differ from Google. Pure.

Thresholds that grow with the number of calendars are shares; each has a least number, for small services. Called by
`alert_rules`.
"""

from __future__ import annotations

from sync.alert_model import Observations
from sync.core.operations.rule_parts import (
    LEAST_CRITICAL,
    Found,
    IsOpen,
    Limits,
    Rule,
    counted,
    exceeds,
    finding,
    many,
    mostly,
    share_of,
)
from sync.states import AlertKind, Lane

# Fewer syncs than this within the quarter of an hour say nothing of a rate; while it is open, a few do.
LEAST_SYNCS, LEAST_SYNCS_OPEN = 20, 5
FAILURES_CRITICAL = 0.5
# Of all calendars.
LATE_SHARE, LATE_CRITICAL = 0.001, 0.1
CALENDAR_LANES = frozenset({Lane.NOTIFIED, Lane.FIRST, Lane.POLL})
WAVE_SHARE, WAVE_CRITICAL, WAVE_USERS = 0.01, 0.1, 5


def _failure_rate(seen: Observations, limits: Limits, is_open: IsOpen) -> Found:
    stands = is_open(AlertKind.FAILURE_RATE)
    if seen.syncs < (LEAST_SYNCS_OPEN if stands else LEAST_SYNCS):
        return
    share = seen.failed / seen.syncs
    if exceeds(share, limits.failure_share, limits.failure_share / 2, stands):
        yield finding(
            AlertKind.FAILURE_RATE,
            f"{share:.0%} of the {seen.syncs:,} syncs of the last 15 minutes failed, of {seen.failed_calendars:,} "
            f"calendars{mostly(seen.failed_cause)}.",
            calendars=seen.failed_calendars,
            cause=seen.failed_cause,
            critical=share >= FAILURES_CRITICAL,
        )


def _past_bound(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    opens = share_of(seen.calendars, LATE_SHARE, 1)
    # Who has stopped a lane knows why calendars wait, and whoever is on call does not.
    cause = "lane_paused" if seen.paused_lanes.keys() & CALENDAR_LANES else seen.past_bound_cause
    if exceeds(seen.past_bound, opens, max(1, opens / 2), is_open(AlertKind.PAST_BOUND)):
        yield finding(
            AlertKind.PAST_BOUND,
            f"{counted(seen.past_bound)} of {seen.calendars:,} calendars are past their bound{mostly(cause)}.",
            calendars=seen.past_bound,
            cause=cause,
            critical=many(seen.past_bound, seen.calendars, LATE_CRITICAL),
        )


def _lapsing(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    opens = share_of(seen.calendars, LATE_SHARE, 1)
    if exceeds(seen.lapsing, opens, max(1, opens / 2), is_open(AlertKind.CHANNELS_LAPSING)):
        yield finding(
            AlertKind.CHANNELS_LAPSING,
            f"The push channels of {counted(seen.lapsing)} of {seen.calendars:,} calendars lapse, or have lapsed, "
            f"unrenewed{mostly(seen.lapsing_cause)}.",
            calendars=seen.lapsing,
            cause=seen.lapsing_cause,
            critical=many(seen.lapsing, seen.calendars, LATE_CRITICAL),
        )


def _reauth_wave(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    opens = share_of(seen.calendars, WAVE_SHARE, WAVE_USERS)
    if exceeds(seen.reauth_users, opens, opens / 2, is_open(AlertKind.REAUTH_WAVE)):
        yield finding(
            AlertKind.REAUTH_WAVE,
            f"{counted(seen.reauth_users)} users lost their connection to Google within the last hour, with "
            f"{counted(seen.reauth_calendars)} calendars.",
            calendars=seen.reauth_calendars,
            cause="needs_reauth",
            critical=many(seen.reauth_calendars, seen.calendars, WAVE_CRITICAL),
        )


def _poisoned(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    if seen.poisoned:
        yield finding(
            AlertKind.POISONED,
            f"{seen.poisoned:,} calendars are poisoned: process after process ended while it synced them.",
            calendars=seen.poisoned,
            cause="claims_unended",
            critical=seen.poisoned >= LEAST_CRITICAL,
        )


def _drift(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    if seen.differing:
        yield finding(
            AlertKind.DRIFT,
            f"Audits of the last day found {seen.differing:,} meetings of {seen.differing_calendars:,} calendars "
            "that were not as Google has them.",
            calendars=seen.differing_calendars,
            cause="audit",
        )


CALENDAR_RULES: tuple[Rule, ...] = (
    _failure_rate,
    _past_bound,
    _lapsing,
    _reauth_wave,
    _poisoned,
    _drift,
)
