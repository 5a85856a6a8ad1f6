"""`poll`: looks at calendars now, whatever the plan says; or at all that are due, as a cron's call does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console

from sync.cli.acting import Done, act_on_calendars
from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode, Refused
from sync.cli.output import pairs
from sync.cli.stopping import until_stopped
from sync.core.operations.words import words
from sync.jobs.driving.look_now import look_now
from sync.jobs.driving.poll_due import Sweep, poll_due
from sync.jobs.services import Services
from sync.states import SyncStatus

# Of `--due`: claimed and counted anew after each, so that the bar moves.
SWEEP_SECONDS = 5.0


def poll(
    context: typer.Context,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHICH", help="Calendars' ids, users' ids, or Google accounts' addresses."),
    ] = None,
    due: Annotated[bool, typer.Option("--due", help="All calendars that are due, until none is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Looks at calendars now, whatever push says and whatever they wait for. The audit says who asked.

    With --due it does what a cron's call does, until nothing is due; interrupted, what is left stays due.

    Ends with 1 if a calendar could not be looked at.

    Examples:

    \b
      calendar-monitor poll anna@example.com
      calendar-monitor poll 0b9f6f0e-6b1b-4a0e-9a0e-1f8f3a2b4c5d --json
      calendar-monitor poll --due
    """
    desk = desk_of(context, as_json)
    if due == bool(which):
        raise Refused("nothing_named", "Name calendars, users or accounts, or give --due.")
    if due:
        _poll_due(desk)
    act_on_calendars(desk, "poll", which or (), lambda calendar_id: looked(desk.services, calendar_id), "polling")


def looked(services: Services, calendar_id: str) -> Done | None:
    """What a look at a calendar that was made due has found."""
    outcome = look_now(services, calendar_id)
    if outcome is None:
        return None
    return Done(
        calendar_id,
        outcome.claim.google_calendar_id,
        str(outcome.status),
        outcome.error_code or outcome.reason,
        outcome.created,
        outcome.updated,
        outcome.deleted,
    )


def _poll_due(desk: Desk) -> None:
    counts: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    with until_stopped() as is_stopping, desk.out.progress("polling what is due") as tell:
        while True:
            sweep = poll_due(desk.services, budget_seconds=SWEEP_SECONDS, should_stop=is_stopping)
            count_outcomes(sweep, counts, causes)
            done = sum(counts[str(status)] for status in SyncStatus)
            tell(done, f"{sweep.remaining} remain")
            if not sweep.remaining or not sweep.outcomes or is_stopping():
                break
    data = {**counts, "remaining": sweep.remaining}
    answer_counts(desk, data, causes)
    raise typer.Exit(ExitCode.PARTLY if causes or sweep.remaining else ExitCode.DONE)


def answer_counts(desk: Desk, counts: Mapping[str, int], causes: Counter[str]) -> None:
    """Of work on many: what came of it, and the causes of what failed."""

    def show(console: Console) -> None:
        console.print(pairs({words(name): count for name, count in counts.items()}))
        if causes:
            console.print(pairs({f"failed: {words(name)}": count for name, count in causes.most_common()}))

    desk.out.answer({**counts, "causes": dict(causes)}, show)


def count_outcomes(sweep: Sweep, counts: Counter[str], causes: Counter[str]) -> None:
    """Adds what a sweep did: outcomes and changes to `counts`, failures by their code to `causes`."""
    for outcome in sweep.outcomes:
        counts[str(outcome.status)] += 1
        counts.update(created=outcome.created, updated=outcome.updated, deleted=outcome.deleted)
        if outcome.status is SyncStatus.FAILED:
            causes[outcome.error_code or "unknown"] += 1
