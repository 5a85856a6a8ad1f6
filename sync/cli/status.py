"""`status`: how the service stands, as the dashboard's first page shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console

from sync.cli.desk import AsJson, desk_of
from sync.cli.faults import ExitCode
from sync.cli.output import graded, listing, pairs, text
from sync.core.operations.formatting import length, number, since
from sync.core.operations.words import LAPSES, verdict, words

NOT_COUNTED = "not yet: the first process that drives does so within a minute"


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """How the service stands: calendars and their bounds, lanes, freshness, quota, crons, what stands in the way.

    Ends with 1 if calendars are late, something is in the way or an alert is open.

    Examples:

    \b
      calendar-monitor status
      calendar-monitor status --json | jq .overview.bounds
    """
    desk = desk_of(context, as_json)
    store = desk.services.store
    overview, standing = store.overview.read(), store.operators.standing()
    judged = verdict(overview)
    is_well = not (judged["late"] or standing["outages"] or standing["alerts"]["open"])

    def show(console: Console) -> None:
        now = dt.datetime.fromisoformat(overview["at"])
        console.print(graded(judged["gravity"], judged["sentence"]))
        console.print(pairs(_facts(overview, standing, now)))
        console.print(listing(("lane", "due", "oldest", ""), _lanes(overview, standing)))
        for obstacle in _in_the_way(standing):
            console.print(text(obstacle, "yellow"))

    desk.out.answer({"is_well": is_well, "verdict": judged, "overview": overview, "standing": standing}, show)
    raise typer.Exit(ExitCode.DONE if is_well else ExitCode.PARTLY)


def _facts(overview: Mapping[str, Any], standing: Mapping[str, Any], now: dt.datetime) -> dict[str, object]:
    google, hour, quota = overview["google"], overview["last_hour"], standing["quota"] or {}
    processes = overview["processes"]
    states = sorted(overview["calendars"]["by_state"].items(), key=lambda state: (-state[1], state[0]))
    return {
        "counted": since(overview["counted_at"], now) if overview["counted_at"] else NOT_COUNTED,
        "calendars": ", ".join(f"{number(count)} {words(state)}" for state, count in states) or "none",
        "channels lapse": ", ".join(
            f"{words(name)}: {number(overview['channels'][name])}" for name in LAPSES if overview["channels"].get(name)
        )
        or "–",
        "found by push": _fresh(overview["freshness"]["push"]),
        "found by polling": _fresh(overview["freshness"]["poll"]),
        "last hour": f"{number(hour['completed'])} syncs, {number(hour['failed'])} failed, "
        f"{number(hour['changes'])} changes",
        "drift in 24 h": f"{number(overview['drift']['differing'])} of {number(overview['drift']['audited'])} meetings",
        "requests today": f"{number(google['requests_today'])}, of them polls {number(google['polls_today'])}",
        "quota": f"{number(quota.get('used_this_minute'))} this minute"
        + (f", forecast {number(round(quota['forecast_today']))} today" if quota.get("forecast_today") else ""),
        "processes": f"{processes['alive']} alive, last seen {since(processes['last_seen_at'], now)}",
        **{words(name): since(at, now) for name, at in sorted(overview["crons"].items())},
        "dead letters": f"{overview['dead_letters']['bots']} bots, {overview['dead_letters']['events']} events",
        "open alerts": number(standing["alerts"]["open"]),
    }


def _fresh(found: Mapping[str, Any]) -> str:
    if not found["changes"]:
        return "nothing in the last hour"
    parts = [f"p{name} {length(found[f'p{name}_seconds'])}" for name in (50, 95, 99)]
    return f"{number(found['changes'])} changes in the last hour, {', '.join(parts)} old"


def _lanes(overview: Mapping[str, Any], standing: Mapping[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            words(name),
            number(lane["due"]) if lane["is_exact"] else f"about {number(lane['due'])}",
            length(lane["oldest_due_seconds"]) if lane["due"] else "",
            f"paused by {standing['pauses'][name]['paused_by']}" if name in standing["pauses"] else "",
        )
        for name, lane in overview["lanes"].items()
    ]


def _in_the_way(standing: Mapping[str, Any]) -> list[str]:
    outages = [
        f"{words(each['upstream'])} does not answer ({words(each['error_code'])})." for each in standing["outages"]
    ]
    findings = [
        f"{words(each['kind'])} {each['name'] or ''}: {words(each['reason'])}, {number(each['calendars'])} calendars."
        for each in standing["findings"]
    ]
    return outages + findings
