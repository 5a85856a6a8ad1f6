"""What every command works with: who asks, where answers go, and the services, opened when first asked for."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import typer

from sync.cli.output import Output
from sync.jobs.services import Services, build_services
from sync.logs import configure_logs
from sync.settings import load
from sync.states import OperatorDoor

# What an audit row holds of a name.
LONGEST_NAME = 60


def open_services(is_verbose: bool) -> Services:
    """From the environment. Lines of the log would run into progress bars, and the answer says what came of the work:
    errors alone are logged, unless more is asked for.

    Raises SettingsError."""
    settings = load()
    configure_logs(settings.log_level if is_verbose else "error", settings.log_format)
    return build_services(settings)


@dataclass
class Desk:
    """One call of the command line. `opening` makes the services."""

    operator: str = ""
    is_verbose: bool = False
    out: Output = field(default_factory=Output)
    opening: Callable[[bool], Services] = open_services

    @cached_property
    def services(self) -> Services:
        """Raises SettingsError."""
        return self.opening(self.is_verbose)

    def note(self, action: str, target: str = "") -> None:
        """Writes who does what before it is done: who cannot be written down does nothing. Raises StoreFailure."""
        self.services.store.operators.act(operator=self.operator, door=OperatorDoor.CLI, action=action, target=target)


def desk_of(context: typer.Context, as_json: bool) -> Desk:
    """This call's, at a command's start: from here on even a failure is answered as JSON, if that is wanted."""
    found: Desk = context.obj
    found.out.as_json = as_json
    return found


def os_user() -> str:
    """Who runs this, as the system calls them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return "cli"


AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout, for scripts.")]
