"""`rotate-keys`, `give-back-tokens` and `regain`: work over every stored token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer

from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode, Refused
from sync.cli.output import pairs
from sync.cli.stopping import until_stopped
from sync.clients.vault import Vault
from sync.jobs.accounts.give_back_tokens import give_back_tokens
from sync.jobs.accounts.regain_access import regain_access
from sync.jobs.accounts.rotate_keys import rotate_keys


def rotate(context: typer.Context, as_json: AsJson = False) -> None:
    """Seals every stored token anew under the first of TOKEN_ENCRYPTION_KEYS, so that the others can go. May run beside
    the service, and be interrupted: run again it goes on where it stood.

    Put the new key first and keep the old ones behind it, deploy that, and run this. Tokens of the original system,
    which stand in the clear, are sealed too; once none is left, none is accepted any more.

    Ends with 0 if all is under the newest key, with 1 if some tokens open with none of the keys.

    Example:

    \b
      calendar-monitor rotate-keys
    """
    desk = desk_of(context, as_json)
    services = desk.services
    desk.note("rotate_keys")
    with _hearing(desk, "sealing") as hear:
        found = rotate_keys(services.store, services.vault, hear)
    said = {"sealed anew": found.sealed, "already current": found.current, "unreadable": found.unreadable}
    _end(desk, found, said, is_well=not found.unreadable)


def give_back(
    context: typer.Context,
    in_the_clear: Annotated[bool, typer.Option("--in-the-clear", help="Say that you mean it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Writes all tokens back into google_credentials in the clear, for the original system's code (docs/adopting.md).

    Stop the service first: it seals whatever it uses. Whoever reads the table then reads the tokens. May be interrupted
    and run again.

    Ends with 0 if all are in the clear, with 1 if some open with none of the keys.

    Example:

    \b
      calendar-monitor give-back-tokens --in-the-clear
    """
    desk = desk_of(context, as_json)
    if not in_the_clear:
        raise Refused("not_confirmed", "This makes every stored token readable: say so with --in-the-clear.")
    desk.note("give_back_tokens")
    # Plaintexts of an earlier, interrupted call are as they should be.
    vault = Vault(desk.services.settings.token_encryption_keys, lambda: True)
    with _hearing(desk, "giving back") as hear:
        found = give_back_tokens(desk.services.store, vault, hear)
    said = {"in the clear": found.in_the_clear, "unreadable": found.unreadable}
    _end(desk, found, said, is_well=not found.unreadable)


def regain(context: typer.Context, as_json: AsJson = False) -> None:
    """Connects users again who lost their connection by mistake (under a wrong OAuth client, say): tries each stored
    grant; where Google refuses it, nothing changes. May be interrupted and run again.

    Ends with 1 if some are left because Google did not answer, or no key opens their token.

    Example:

    \b
      calendar-monitor regain
    """
    desk = desk_of(context, as_json)
    desk.note("regain")
    with _hearing(desk, "trying grants") as hear:
        found = regain_access(desk.services, hear)
    _end(
        desk, found, {"regained": found.regained, "refused": found.refused, "left": found.left}, is_well=not found.left
    )


@contextmanager
def _hearing(desk: Desk, doing: str) -> Iterator[Callable[[Any], None]]:
    """For counts that come after each batch of users: they are shown, and a signal ends the work there."""
    with until_stopped() as is_stopping, desk.out.progress(doing) as tell:

        def hear(found: Any) -> None:
            tell(sum(asdict(found).values()), "")
            if is_stopping():
                raise KeyboardInterrupt

        yield hear


def _end(desk: Desk, found: Any, said: Mapping[str, object], *, is_well: bool) -> None:
    desk.out.answer(asdict(found), lambda console: console.print(pairs(said)))
    raise typer.Exit(ExitCode.DONE if is_well else ExitCode.PARTLY)
