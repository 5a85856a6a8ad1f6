"""`renew`: opens new push channels now, of calendars or of all whose time has come."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from sync.cli.acting import Done, act_on_calendars
from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode, Refused
from sync.cli.poll import answer_counts
from sync.cli.stopping import until_stopped
from sync.jobs.services import Services
from sync.jobs.watching.renew_watches import open_watches, renew_watches

# Of `--due`: counted anew after each, so that the bar moves.
ROUND_SECONDS = 5.0


def renew(
    context: typer.Context,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHICH", help="Calendars' ids, users' ids, or Google accounts' addresses."),
    ] = None,
    due: Annotated[bool, typer.Option("--due", help="All channels whose time has come, until none is left.")] = False,
    as_json: AsJson = False,
) -> None:
    """Opens new push channels now; the old ones are stopped once the new ones speak. The audit says who asked.

    With --due it does what a cron's call does, until nothing is due; interrupted, what is left stays due.

    Ends with 1 if a channel could not be opened: its calendar is polled.

    Examples:

    \b
      calendar-monitor renew anna@example.com
      calendar-monitor renew --due
    """
    desk = desk_of(context, as_json)
    if due == bool(which):
        raise Refused("nothing_named", "Name calendars, users or accounts, or give --due.")
    if due:
        _renew_due(desk)
    act_on_calendars(desk, "reopen", which or (), lambda calendar_id: _renewed(desk.services, calendar_id), "renewing")


def _renewed(services: Services, calendar_id: str) -> Done | None:
    for opened in open_watches(services, [calendar_id]):
        return Done(
            calendar_id,
            opened.claim.google_calendar_id,
            "renewed" if opened.channel else "failed",
            opened.error_code or (f"lapses {opened.channel.expires_at:%Y-%m-%d %H:%M}" if opened.channel else None),
        )
    return None


def _renew_due(desk: Desk) -> None:
    causes: Counter[str] = Counter()
    renewed = stopped = 0
    with until_stopped() as is_stopping, desk.out.progress("renewing channels") as tell:
        while True:
            done = renew_watches(desk.services, budget_seconds=ROUND_SECONDS, should_stop=is_stopping)
            renewed += sum(outcome.channel is not None for outcome in done.outcomes)
            causes.update(outcome.error_code or "unknown" for outcome in done.outcomes if outcome.channel is None)
            stopped += done.stopped
            tell(renewed, f"{done.remaining} remain")
            if not done.remaining or not done.outcomes or is_stopping():
                break
    data = {"renewed": renewed, "stopped": stopped, "remaining": done.remaining}

    answer_counts(desk, data, causes)
    raise typer.Exit(ExitCode.PARTLY if causes or done.remaining else ExitCode.DONE)
