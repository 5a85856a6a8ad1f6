"""What is wrong with the service itself: its means, its outputs, its processes, its database. Pure. Called by
`alert_rules`."""

from __future__ import annotations

from sync.alert_model import Observations, TroubledRegion
from sync.core.operations.rule_parts import (
    LEAST_CRITICAL,
    Found,
    IsOpen,
    Limits,
    Rule,
    exceeds,
    finding,
    minutes,
    mostly,
)
from sync.states import AlertKind, RegionState

# Early in the day a burst looks like a catastrophe: a forecast counts once so much of what it warns of is spent.
SPENT_SHARE = 0.1
FORECAST_STAYS, FORECAST_CRITICAL = 0.95, 0.9
BUDGET_OPENS = 1.2
# A breaker opens at once and closes at the first answer: shorter is a hiccup.
BREAKER_SECONDS = 120.0
# Without these nothing is kept true; the others hold up one thing each.
VITAL = frozenset({"google_api", "token_endpoint", "database"})
# Of what the settings allow: refusals lower the rate to seven tenths, and it grows back by itself.
REFUSED_OPENS, REFUSED_STAYS, REFUSED_CRITICAL = 0.5, 0.8, 0.2
# Longer than an operator means to be away from what they have stopped.
PAUSED_SECONDS = 4 * 3600.0
# The calendars that are looked at for a silence have told by then (`core/polling/ingress`).
ASKED_SECONDS = 900.0
# Processes say every 300 s that they drive.
DRIVEN_OPENS_SECONDS, DRIVEN_STAYS_SECONDS = 900.0, 600.0
# Schedulers run late, GitHub's by up to an hour.
CRON_OPENS, CRON_STAYS, CRON_LATE_SECONDS = 2.2, 1.5, 3600.0
DESTINATION_OPENS = 3


def _breaker_open(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    for upstream, breaker in sorted(seen.breakers.items()):
        if exceeds(breaker.seconds, BREAKER_SECONDS, 0.0, is_open(f"{AlertKind.BREAKER_OPEN}:{upstream}")):
            is_vital = upstream in VITAL
            yield finding(
                AlertKind.BREAKER_OPEN,
                f"The upstream {upstream} has not answered {breaker.processes:,} processes for "
                f"{minutes(breaker.seconds)}{mostly(breaker.cause)}.",
                calendars=seen.calendars if is_vital else None,
                cause=breaker.cause,
                critical=is_vital,
                which=upstream,
            )


def _quota_forecast(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    free = seen.requests_per_day
    if seen.requests_today < SPENT_SHARE * free:
        return
    if exceeds(seen.requests_forecast, free, FORECAST_STAYS * free, is_open(AlertKind.QUOTA_FORECAST)):
        yield finding(
            AlertKind.QUOTA_FORECAST,
            f"Google's day is forecast to end at {seen.requests_forecast:,.0f} requests, of {free:,.0f} that are "
            f"free; {seen.requests_today:,.0f} are spent.",
            cause="requests_per_day",
            critical=seen.requests_today >= FORECAST_CRITICAL * free,
        )


def _quota_refused(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    rate, most = seen.quota_rate, seen.quota_most
    if rate is None or not most:
        return
    if rate <= (REFUSED_STAYS if is_open(AlertKind.QUOTA_REFUSED) else REFUSED_OPENS) * most:
        yield finding(
            AlertKind.QUOTA_REFUSED,
            f"Google refused requests for want of quota: {rate:,.0f} a minute are sent at most, of {most:,.0f} that "
            "the settings allow.",
            cause="rateLimitExceeded",
            critical=rate <= REFUSED_CRITICAL * most,
        )


def _lane_paused(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    for lane, seconds in sorted(seen.paused_lanes.items()):
        if seconds >= PAUSED_SECONDS:
            yield finding(
                AlertKind.LANE_PAUSED,
                f"The lane {lane} has been paused for {minutes(seconds)}; nothing of it is taken up.",
                cause="lane_paused",
                which=lane,
            )


def _region_down(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    for name, region in sorted(seen.regions.items()):
        # Some of its calendars are looked at first: a silence may be a holiday.
        if region.state == RegionState.SILENT and region.seconds < ASKED_SECONDS:
            continue
        yield finding(
            AlertKind.REGION_DOWN,
            f"Notifications have not come through the region {name} for {minutes(region.seconds)}"
            f"{mostly(region.cause)}; {_what_then(region)}.",
            calendars=region.calendars,
            cause=region.cause,
            critical=region.is_last and region.state == RegionState.SICK,
            which=name,
        )


def _what_then(region: TroubledRegion) -> str:
    if region.is_last:
        return "no other region is well, so polls alone find changes"
    return "its channels move to another region" if region.state == RegionState.SICK else "new channels avoid it"


def _poll_budget(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    """The price of a poll follows the budget by itself: that it is overrun all the same is news."""
    budget = seen.polls_per_day
    if seen.polls_today < 2 * SPENT_SHARE * budget:
        return
    ahead = seen.polls_today / max(seen.day_elapsed, SPENT_SHARE)
    if exceeds(ahead, BUDGET_OPENS * budget, budget, is_open(AlertKind.POLL_BUDGET)):
        yield finding(
            AlertKind.POLL_BUDGET,
            f"Polling is forecast to spend {ahead:,.0f} requests today, of a budget of {budget:,.0f}; "
            f"{seen.polls_today:,.0f} are spent.",
            cause="polls_per_day",
        )


def _dead_bots(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    if seen.dead_bots:
        yield finding(
            AlertKind.DEAD_BOTS,
            f"{seen.dead_bots:,} bots of meetings that are not over were given up{mostly(seen.dead_bots_cause)}.",
            cause=seen.dead_bots_cause,
            critical=seen.dead_bots >= LEAST_CRITICAL,
        )


def _dead_events(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    if seen.dead_events:
        yield finding(
            AlertKind.DEAD_EVENTS,
            f"{seen.dead_events:,} deliveries of change events to {seen.dead_events_subscriptions:,} subscriptions "
            f"were given up{mostly(seen.dead_events_cause)}.",
            cause=seen.dead_events_cause,
        )


def _suspicious(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    for kind, number in sorted(seen.suspicious.items()):
        yield finding(
            AlertKind.SUSPICIOUS,
            f"{number:,} suspicious requests of one kind ({kind}) came within an hour.",
            cause=kind,
            which=kind,
        )


def _worker_silent(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    ago = seen.driven_ago
    if ago is not None and exceeds(ago, DRIVEN_OPENS_SECONDS, DRIVEN_STAYS_SECONDS, is_open(AlertKind.WORKER_SILENT)):
        yield finding(
            AlertKind.WORKER_SILENT,
            f"No long-running process has been seen for {minutes(ago)}: the cron alone keeps calendars true.",
            calendars=seen.calendars,
            cause="no_process_seen",
        )


def _cron_silent(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    ago, every = seen.cron_ago, seen.cron_every
    if ago is None or every is None:
        return
    opens, stays = CRON_OPENS * every + CRON_LATE_SECONDS, CRON_STAYS * every
    if exceeds(ago, opens, stays, is_open(AlertKind.CRON_SILENT)):
        yield finding(
            AlertKind.CRON_SILENT,
            f"The polling cron was last seen {minutes(ago)} ago; before that it came every {minutes(every)}.",
            cause="no_cron_seen",
        )


def _database_behind(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    if seen.is_behind:
        yield finding(
            AlertKind.DATABASE_BEHIND,
            "The database lacks migrations that the running code needs.",
            cause="migration_missing",
            critical=True,
        )


def _mail_failing(seen: Observations, _limits: Limits, _is_open: IsOpen) -> Found:
    if seen.unmailed:
        yield finding(
            AlertKind.MAIL_FAILING,
            f"{seen.unmailed:,} mails to users have waited for more than an hour.",
            cause="mail_not_sent",
        )


def _destination_failing(seen: Observations, _limits: Limits, is_open: IsOpen) -> Found:
    for name, (failures, cause) in sorted(seen.destinations.items()):
        if exceeds(failures, DESTINATION_OPENS, 1, is_open(f"{AlertKind.DESTINATION_FAILING}:{name}")):
            yield finding(
                AlertKind.DESTINATION_FAILING,
                f"The alert destination {name} took nothing at the last {failures:,} attempts{mostly(cause)}.",
                cause=cause,
                which=name,
            )


SERVICE_RULES: tuple[Rule, ...] = (
    _breaker_open,
    _quota_forecast,
    _quota_refused,
    _lane_paused,
    _region_down,
    _poll_budget,
    _dead_bots,
    _dead_events,
    _suspicious,
    _worker_silent,
    _cron_silent,
    _database_behind,
    _mail_failing,
    _destination_failing,
)
