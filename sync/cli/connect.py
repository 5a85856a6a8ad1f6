"""`connect`: users whose grants an operator holds, one or many."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sync.cli.choosing import user_id_of
from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode, Refused
from sync.cli.output import graded, listing
from sync.cli.poll import looked
from sync.cli.stopping import until_stopped
from sync.core.operations.words import words
from sync.errors import ReconnectNeeded
from sync.jobs.accounts.connect_calendar import (
    NewConnection,
    TooManyCalendars,
    UnknownCalendars,
    UnknownUser,
    connect_calendars,
)

_REFUSALS = {
    UnknownUser: "USER_ID is no user of this project (auth.users).",
    UnknownCalendars: "Not in this user's list of calendars: ",
    TooManyCalendars: "More calendars than MAX_CALENDARS_PER_USER would be watched: ",
}


def connect(
    context: typer.Context,
    user_id: Annotated[str, typer.Argument(metavar="USER_ID", help="The user's id in auth.users.")] = "",
    calendar: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Google's id of a calendar; repeatable. Otherwise: primary.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help='Many users, a line of JSON each: {"userId", "provider_refresh_token", "calendarIds"?}.',
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Of --from: also users who are connected.")] = False,
    as_json: AsJson = False,
) -> None:
    """Connects a user by a refresh token of theirs, which is read from stdin (asked for on a terminal) and stored
    encrypted: tries it, watches their calendars, and lists them for the first time. The audit says who asked.

    With --from many are connected, and `backfill` or the service lists their calendars. Interrupted, run it again: who
    is connected is passed over.

    Ends with 1 if a calendar could not be listed, or a user of FILE not be connected.

    Examples:

    \b
      calendar-monitor connect 5f0cb7a2-0f5c-4b53-9b0a-6d8f3a2b4c5d < refresh-token
      calendar-monitor connect 5f0cb7a2-0f5c-4b53-9b0a-6d8f3a2b4c5d --calendar primary --calendar team@example.com
      calendar-monitor connect --from grants.jsonl && calendar-monitor backfill
    """
    desk = desk_of(context, as_json)
    if (source is None) == (not user_id):
        raise Refused("nothing_named", "Name a user, or give --from FILE.")
    if (source is not None and calendar) or (source is None and again):
        raise Refused("option_alone", "--calendar goes with USER_ID, --again with --from.")
    if source is not None:
        _connect_many(desk, _grants_of(source), again)
    _connect_one(desk, user_id_of(user_id), calendar or ())


def _connect_one(desk: Desk, user_id: str, calendar_ids: Sequence[str]) -> None:
    token = _asked_for() if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not token:
        raise Refused("token_missing", "Give the user's refresh token on stdin.")
    with desk.out.progress("connecting"):
        connected = _connect(desk, user_id, token, calendar_ids)
    results = []
    with until_stopped() as is_stopping, desk.out.progress("listing", len(connected.calendars)) as tell:
        for each in connected.calendars:
            done = None if is_stopping() else looked(desk.services, each.calendar_id)
            results.append({**asdict(each), "first_sync": done.outcome if done else "waits", "why": done and done.why})
            tell(len(results), each.google_calendar_id)

    def show(console: Console) -> None:
        rows = [
            (each["calendar_id"], each["google_calendar_id"], words(each["watch"]), words(each["reason"]),
             graded(each["first_sync"], words(each["first_sync"])), words(each["why"]))
            for each in results
        ]  # fmt: skip
        console.print(listing(("calendar", "Google's id", "watch", "", "first sync", ""), rows))

    desk.out.answer({"google_account": connected.google_account, "calendars": results}, show)
    is_well = all(each["first_sync"] != "failed" for each in results)
    raise typer.Exit(ExitCode.DONE if is_well else ExitCode.PARTLY)


def _asked_for() -> str:
    found: str = typer.prompt("Refresh token", hide_input=True, err=True)
    return found.strip()


def _connect(desk: Desk, user_id: str, token: str, calendar_ids: Sequence[str]) -> NewConnection:
    """Raises Refused, and what `connect_calendars` raises."""
    services = desk.services
    with services.leases.turn(user_id) as is_ours, _refusals():
        if not is_ours:
            raise Refused("user_busy", "Something else is being done for this user; try again in a few seconds.")
        desk.note("connect", user_id)
        return connect_calendars(services, user_id, token, calendar_ids)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (UnknownUser, UnknownCalendars, TooManyCalendars) as refused:
        raise Refused(refused.code, f"{_REFUSALS[type(refused)]}{refused.detail}") from None


def _connect_many(desk: Desk, grants: Sequence[tuple[str, str, list[str]]], again: bool) -> None:
    counts = {"connected": 0, "already": 0, "refused": 0}
    refused: dict[str, str] = {}
    with until_stopped() as is_stopping, desk.out.progress("connecting", len(grants)) as tell:
        for user_id, token, calendar_ids in grants:
            if is_stopping():
                break
            try:
                outcome = _connect_unless_connected(desk, user_id, token, calendar_ids, again)
            except (Refused, ReconnectNeeded) as refusal:
                # Of this one user; what is everybody's (the database, our OAuth client) ends the command.
                outcome, refused[user_id] = "refused", refusal.code
            counts[outcome] += 1
            tell(sum(counts.values()), "")

    def show(console: Console) -> None:
        console.print(listing(tuple(counts), [tuple(counts.values())]))
        console.print(listing(("refused", "why"), [(name, words(code)) for name, code in refused.items()]))

    desk.out.answer({**counts, "why": refused}, show)
    raise typer.Exit(ExitCode.PARTLY if refused else ExitCode.DONE)


def _connect_unless_connected(desk: Desk, user_id: str, token: str, calendar_ids: Sequence[str], again: bool) -> str:
    if not again and desk.services.store.accounts.read(user_id).is_connected:
        return "already"
    _connect(desk, user_id, token, calendar_ids)
    return "connected"


def _grants_of(source: Path) -> list[tuple[str, str, list[str]]]:
    """(user's id, refresh token, calendars) of each line. Raises Refused, naming the first line that is none, before
    anybody is connected."""
    found = []
    for number, line in enumerate(source.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_grant_of(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError, Refused):
            raise Refused("line_malformed", f"Line {number} of {source} is no grant as --help shows it.") from None
    return found


def _grant_of(body: Any) -> tuple[str, str, list[str]]:
    user_id, token, calendars = body["userId"], body["provider_refresh_token"], body.get("calendarIds", [])
    if not isinstance(token, str) or not token or not isinstance(calendars, list):
        raise ValueError
    if not all(isinstance(each, str) for each in calendars):
        raise ValueError
    return user_id_of(user_id), token, calendars
