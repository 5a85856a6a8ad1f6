"""`audit`: whether `meetings` equals the calendars, found out by listing them whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from sync.cli.choosing import chosen
from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode, Refused
from sync.cli.output import pairs
from sync.cli.stopping import until_stopped
from sync.jobs.syncing.audit_drift import Audit, audit_drift, audit_side_by_side


def audit(
    context: typer.Context,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHICH", help="Calendars' ids, users' ids, or Google accounts' addresses."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Otherwise: so many, the longest unaudited first.")] = 10,
    every: Annotated[bool, typer.Option("--all", help="Every calendar, several at a time.")] = False,
    since: Annotated[
        dt.datetime | None,
        typer.Option(help="Of --all (UTC): calendars audited since then are done; to go on with an interrupted one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Whether meetings equal the calendars: brings each up to date, lists it whole, counts what differed, and puts that
    right. The audit of deeds says who asked.

    Ends with 0 if nothing differed, with 1 if something did.

    Examples:

    \b
      calendar-monitor audit --limit 100
      calendar-monitor audit anna@example.com --json
      calendar-monitor audit --all --since 2026-11-26T14:00:00
    """
    desk = desk_of(context, as_json)
    if which and every:
        raise Refused("too_much_named", "Name calendars, or give --all, not both.")
    if which and since:
        raise Refused("option_alone", "--since goes with --all: calendars that are named are audited.")
    found = _audit_named(desk, which) if which else _audit_unnamed(desk, None if every else limit, since)
    desk.out.answer(asdict(found), lambda console: console.print(pairs(_words_of(found))))
    raise typer.Exit(ExitCode.PARTLY if found.differing else ExitCode.DONE)


def _audit_named(desk: Desk, which: Sequence[str]) -> Audit:
    calendars = {each["calendar_id"]: each for name in which for each in chosen(desk.services.store, name)}
    found = Audit()
    with until_stopped() as is_stopping, desk.out.progress("auditing", len(calendars)) as tell:
        for done, (calendar_id, row) in enumerate(calendars.items()):
            if is_stopping():
                break
            tell(done, row["google_calendar_id"])
            desk.note("audit", calendar_id)
            found += audit_drift(desk.services, limit=1, calendar_ids=[calendar_id], should_stop=is_stopping)
    return found


def _audit_unnamed(desk: Desk, most: int | None, since: dt.datetime | None) -> Audit:
    """The longest unaudited; all if `most` is None."""
    overview = desk.services.store.overview.read()
    begun_at = since.replace(tzinfo=since.tzinfo or dt.UTC) if since else dt.datetime.fromisoformat(overview["at"])
    desk.note("audit")
    if most is None:
        desk.out.say(f"If it is interrupted, go on with --all --since {begun_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}")
    total = most or overview["calendars"]["active"] or None
    with until_stopped() as is_stopping, desk.out.progress("auditing", total) as tell:
        return audit_side_by_side(
            desk.services,
            begun_at,
            lambda done: tell(done.calendars + done.left, f"{done.differing} differ"),
            is_stopping,
            most=most,
        )


def _words_of(found: Audit) -> dict[str, object]:
    return {
        "calendars audited": found.calendars,
        "meetings that differed, put right": found.differing,
        "calendars left (busy or failing)": found.left,
    }
