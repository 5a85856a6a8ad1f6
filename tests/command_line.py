"""The command line in this process, on the test's world."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from sync.cli.app import app
from sync.cli.desk import Desk
from sync.jobs.services import Services
from tests.world import World


@dataclass(frozen=True)
class Answer:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


class Cli:
    """`calendar-monitor …`, by the operator "olga"."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, *arguments: str, services: Services | None = None, answers: str = "") -> Answer:
        desk = Desk(opening=lambda _is_verbose: services or self.world.services)
        return invoke(["--operator", "olga", *arguments], desk, answers)


def invoke(arguments: list[str], desk: Desk | None = None, answers: str = "", **environment: str) -> Answer:
    done = CliRunner().invoke(app, arguments, obj=desk, input=answers, env=environment, prog_name="calendar-monitor")
    return Answer(done.exit_code, done.stdout, done.stderr)
