"""How the service stands, by what its database tells: who drives it, what it spends, what waits, who is told. Pure.
Called by the doctor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sync.alert_model import Observations
from sync.core.operations.doctor.verdict import Verdict, failed, named, warning, well
from sync.core.operations.formatting import length, number
from sync.core.operations.mends import is_operators, sentence_of
from sync.core.operations.rule_parts import counted
from sync.core.operations.service_rules import (
    CRON_LATE_SECONDS,
    CRON_OPENS,
    DESTINATION_OPENS,
    DRIVEN_OPENS_SECONDS,
    REFUSED_OPENS,
)

PROCESSES, CRON, QUOTA, GOOGLE_PROJECT = "processes", "cron", "quota", "Google project"
CALENDARS, UPSTREAMS, DEAD_LETTERS, ALERTS = "calendars", "upstreams", "dead letters", "alerts"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules look at. `has_cron_secret`, `destinations`: of the settings. `refused_keys`: calls with a wrong
    key within a day. `causes`: what syncs of the last day failed of, by code, how often."""

    observed: Observations
    has_cron_secret: bool
    destinations: tuple[str, ...]
    refused_keys: int
    causes: Mapping[str, int]


def _is_driven(seen: Seen) -> bool:
    ago = seen.observed.driven_ago
    return ago is not None and ago < DRIVEN_OPENS_SECONDS


def _is_called(seen: Seen) -> bool:
    """By a scheduler, as often as before."""
    ago, every = seen.observed.cron_ago, seen.observed.cron_every
    if ago is None:
        return False
    return ago < (CRON_OPENS * every + CRON_LATE_SECONDS if every is not None else 8 * CRON_LATE_SECONDS)


def _processes(seen: Seen) -> Verdict:
    ago = seen.observed.driven_ago
    if _is_driven(seen):
        return well(PROCESSES, f"A process that drives was seen {length(ago)} ago.")
    last = "was ever seen" if ago is None else f"has been seen for {length(ago)}"
    if _is_called(seen):
        return well(PROCESSES, f"None that drives {last}: the cron alone keeps calendars true.")
    return failed(
        PROCESSES,
        "nobody_drives",
        f"None that drives {last}, and no cron calls: nothing is polled or renewed.",
        "Start a web process or `python -m sync.jobs.worker`, or have a scheduler call (docs/scheduling.md).",
    )


def _cron(seen: Seen) -> Verdict:
    ago = seen.observed.cron_ago
    if _is_called(seen):
        return well(CRON, f"The polling cron called {length(ago)} ago.")
    if ago is None and _is_driven(seen) and not seen.has_cron_secret:
        return well(CRON, "None has ever called, and none need: processes drive by themselves.")
    told = "has never called" if ago is None else f"has not called for {length(ago)}"
    code = "cron_never_called" if ago is None else "cron_silent"
    tried = (
        f" Within a day {number(seen.refused_keys)} calls with a wrong key were refused." if seen.refused_keys else ""
    )
    mend = (
        "Put the service's CRON_SECRET anew into the secret CRON_SECRET of whoever schedules (GitHub: Settings, "
        "Secrets, Actions; pg_cron: Vault)."
        if seen.refused_keys
        else "See the scheduler's last run: CALENDAR_MONITOR_URL and CRON_SECRET of the workflows, or the jobs of "
        "pg_cron (docs/scheduling.md). GitHub stops schedules of a repository that rests for 60 days."
    )
    verdict = warning if _is_driven(seen) else failed
    return verdict(CRON, code, f"The polling cron {told}.{tried}", mend)


def _quota(seen: Seen) -> Verdict:
    now = seen.observed
    spent = (
        f"{number(round(now.requests_today))} billable requests today, {number(round(now.requests_forecast))} forecast"
    )
    free = f"of {number(round(now.requests_per_day))} that are free"
    rate, most = now.quota_rate, now.quota_most
    if rate is not None and most and rate <= REFUSED_OPENS * most:
        return warning(
            QUOTA,
            "quota_refused",
            f"Google refused requests: {number(round(rate))} a minute are sent at most, of {number(round(most))}.",
            "If it lasts, ask for more (Google Cloud console, Calendar API, Quotas), and set "
            "GOOGLE_REQUESTS_PER_MINUTE to what is given.",
        )
    if now.requests_forecast > now.requests_per_day:
        mend = "Lower POLL_BUDGET_PER_DAY, or ask Google for more and set GOOGLE_REQUESTS_PER_DAY."
        return warning(QUOTA, "quota_forecast", f"{spent}, {free}.", mend)
    return well(QUOTA, f"{spent}, {free}.")


def _google_project(seen: Seen) -> Verdict:
    """What Google says of the project rather than of a calendar."""
    causes = sorted((code for code in seen.causes if is_operators(code)), key=lambda code: -seen.causes[code])
    if causes:
        told = ", ".join(f"{code} ({number(seen.causes[code])})" for code in causes)
        return failed(GOOGLE_PROJECT, causes[0], f"Syncs of the last day failed of {told}.", sentence_of(causes[0]))
    return well(GOOGLE_PROJECT, "No sync of the last day failed of how the project is set up.")


def _calendars(seen: Seen) -> Verdict:
    now = seen.observed
    if now.poisoned:
        return failed(
            CALENDARS,
            "poisoned",
            f"{number(now.poisoned)} end the process that syncs them.",
            "See that process' last lines and memory (docs/operations.md, suspects).",
        )
    if now.past_bound:
        return failed(
            CALENDARS,
            "past_bound",
            f"{counted(now.past_bound)} of {number(now.calendars)} are past their bound; most: {now.past_bound_cause}.",
            "`calendar-monitor calendar --state overdue` names them; what the cause means is in docs/operations.md.",
        )
    return well(
        CALENDARS, f"All {number(now.calendars)} are within their bound." if now.calendars else "There are none."
    )


def _upstreams(seen: Seen) -> Verdict:
    now = seen.observed
    if now.breakers:
        told = named(f"{name} ({each.cause})" for name, each in sorted(now.breakers.items()))
        mend = "Wait, if it is theirs; if only this service's processes say so, look at their network."
        return failed(UPSTREAMS, "upstream_down", f"They do not answer the service: {told}.", mend)
    if now.paused_lanes:
        told = named(f"{lane} for {length(seconds)}" for lane, seconds in sorted(now.paused_lanes.items()))
        return warning(UPSTREAMS, "lane_paused", f"Stopped by hand: {told}.", "Resume it on the dashboard.")
    return well(UPSTREAMS, "All that the service calls answer it, and no lane is stopped.")


def _dead_letters(seen: Seen) -> Verdict:
    bots, events = seen.observed.dead_bots, seen.observed.dead_events
    if bots or events:
        causes = {seen.observed.dead_bots_cause, seen.observed.dead_events_cause} - {None}
        return warning(
            DEAD_LETTERS,
            "dead_letters",
            f"{counted(bots)} bots and {counted(events)} deliveries were given up; most: {named(map(str, causes))}.",
            "Mend what the cause names, then have them tried again on the dashboard.",
        )
    return well(DEAD_LETTERS, "Nothing was given up.")


def _alerts(seen: Seen) -> Verdict:
    if not seen.destinations:
        mend = "Set ALERT_URLS (docs/alerts.md), then `calendar-monitor test-alert`."
        return warning(ALERTS, "no_destination", "ALERT_URLS is not set: nobody is told when something breaks.", mend)
    silent = {
        name: cause
        for name, (failures, cause) in seen.observed.destinations.items()
        if failures >= DESTINATION_OPENS and name in seen.destinations
    }
    if silent:
        told = named(f"{name} ({cause})" for name, cause in sorted(silent.items()))
        mend = "Mend it in ALERT_URLS, then `calendar-monitor test-alert`."
        return failed(ALERTS, "destination_failing", f"Took nothing lately: {told}.", mend)
    return well(ALERTS, f"They go to {named(seen.destinations)}.")


_RULES: Mapping[str, Callable[[Seen], Verdict]] = {
    PROCESSES: _processes,
    CRON: _cron,
    CALENDARS: _calendars,
    QUOTA: _quota,
    GOOGLE_PROJECT: _google_project,
    UPSTREAMS: _upstreams,
    DEAD_LETTERS: _dead_letters,
    ALERTS: _alerts,
}
CHECKS = tuple(_RULES)


def standing(seen: Seen) -> list[Verdict]:
    return [rule(seen) for rule in _RULES.values()]
