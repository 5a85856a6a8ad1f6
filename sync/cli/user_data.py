"""`export` and `erase`: all that is stored of one user, given out or gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sync.cli.choosing import user_id_of
from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode, Refused
from sync.cli.output import pairs, text
from sync.jobs.accounts.user_data import TABLES, erase_user, export_user

UserId = Annotated[str, typer.Argument(metavar="USER_ID", help="The user's id in auth.users.")]


def export(
    context: typer.Context,
    user_id: UserId,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Write into this file, not to stdout.")] = None,
) -> None:
    """All rows of one user as JSON, {table: rows}, without tokens. The audit says who asked.

    Examples:

    \b
      calendar-monitor export 5f0cb7a2-0f5c-4b53-9b0a-6d8f3a2b4c5d > anna.json
      calendar-monitor export 5f0cb7a2-0f5c-4b53-9b0a-6d8f3a2b4c5d --to anna.json
    """
    desk = desk_of(context, True)
    user = user_id_of(user_id)
    desk.note("export", user)
    with desk.out.progress("reading", len(TABLES)) as tell:
        rows = export_user(desk.services, user, lambda done, table: tell(done, table))
    if to is None:
        desk.out.answer(rows, lambda _console: None)
        return
    # Their calendar: for nobody else on this machine.
    to.touch(mode=0o600)
    if to.is_file():
        to.chmod(0o600)
    to.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def erase(
    context: typer.Context,
    user_id: UserId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stops a user's channels, gives their grant back to Google, and deletes all their rows. The audit says who asked.

    The row in auth.users stays, which is Supabase Auth's. Erase before you delete it there: afterwards nobody holds the
    tokens that stop channels and revoke the grant. Interrupted, run it again: it goes on where it stood.

    Ends with 1 if Google did not take the grant back.

    Examples:

    \b
      calendar-monitor erase 5f0cb7a2-0f5c-4b53-9b0a-6d8f3a2b4c5d
      calendar-monitor erase 5f0cb7a2-0f5c-4b53-9b0a-6d8f3a2b4c5d --yes --json
    """
    desk = desk_of(context, as_json)
    user = user_id_of(user_id)
    services = desk.services
    if not yes:
        _ask(desk, user)
    desk.note("erase", user)
    with desk.out.progress("erasing"):
        done = erase_user(services, user)
    is_well = done["google"]["revoked"] is not False
    desk.out.answer(done, lambda console: console.print(pairs({**done["google"], **_deleted(done)})))
    raise typer.Exit(ExitCode.DONE if is_well else ExitCode.PARTLY)


def _ask(desk: Desk, user_id: str) -> None:
    connection = desk.services.store.accounts.read(user_id)
    whose = connection.google_account or "no Google account"
    question = f"Erase all of {user_id} ({whose}, {len(connection.calendars)} calendars)? Nothing brings it back."
    if not typer.confirm(text(question).plain, err=True):
        raise Refused("not_confirmed", "Nothing was erased.")


def _deleted(done: dict[str, Any]) -> dict[str, object]:
    return {f"rows of {table}": count for table, count in done["deleted"].items() if count}
