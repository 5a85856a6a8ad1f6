"""The commands, as one Typer application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sync.cli.adopting import adopt
from sync.cli.alerting import alert_test
from sync.cli.audit import audit
from sync.cli.backfill import backfill
from sync.cli.calendar import calendar
from sync.cli.connect import connect
from sync.cli.desk import LONGEST_NAME, Desk, os_user
from sync.cli.doctor import doctor
from sync.cli.explain import explain
from sync.cli.faults import Commands
from sync.cli.poll import poll
from sync.cli.renew import renew
from sync.cli.resync import resync
from sync.cli.status import status
from sync.cli.tokens import give_back, regain, rotate
from sync.cli.user_data import erase, export
from sync.cli.worker import worker
from sync.version import VERSION

# In the order in which `--help` names them.
_COMMANDS: dict[str, Callable[..., None]] = {
    "doctor": doctor,
    "status": status,
    "calendar": calendar,
    "explain": explain,
    "poll": poll,
    "renew": renew,
    "resync": resync,
    "audit": audit,
    "connect": connect,
    "backfill": backfill,
    "regain": regain,
    "rotate-keys": rotate,
    "give-back-tokens": give_back,
    "export": export,
    "erase": erase,
    "test-alert": alert_test,
    "adopt": adopt,
    "worker": worker,
}

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    # What goes wrong is said by `faults`; a stack's variables hold secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def calendar_monitor(
    context: typer.Context,
    operator: Annotated[
        str, typer.Option(help="Who acts, for the audit; otherwise the system's name of you.", metavar="NAME")
    ] = "",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what LOG_LEVEL says on stderr, not only errors.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and leave.")
    ] = False,
) -> None:
    """What an operator of the calendar monitor does by hand. Reads the service's environment (and a `.env` file here).

    Answers stand on stdout, as text or (`--json`) as one JSON document; progress and complaints on stderr.

    Exit codes: 0 all is well, 1 something came out otherwise, 2 refused (the sentence says what to change), 3 not
    possible now (run it again), 130 interrupted.
    """
    desk: Desk = context.ensure_object(Desk)
    desk.operator = (operator or os_user())[:LONGEST_NAME]
    desk.is_verbose = verbose


for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
