"""docs/cli.md is what the commands say of themselves, and what they say can be typed."""

from __future__ import annotations

import re
import shlex
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

import pytest
import typer

from sync.cli.app import app
from sync.cli.desk import Desk
from sync.cli.faults import ExitCode
from sync.errors import RetryLater
from sync.jobs.services import Services
from tests.command_line import invoke
from tests.docs.pages import ROOT

GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)  # type: ignore[attr-defined]
_EXAMPLE = re.compile(r"\bcalendar-monitor ([a-z-]+[^|<>&\n]*)")


def _script() -> ModuleType:
    loader = SourceFileLoader("document_cli", str(ROOT / "scripts" / "document_cli"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_page_is_what_the_command_writes() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == _script().page(), "run .venv/bin/python scripts/document_cli"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_that_can_be_typed(name: str) -> None:
    command = GROUP.commands[name]  # type: ignore[attr-defined]
    told = (command.help or "").partition("Example")[2]
    examples = [shlex.split(line) for line in _EXAMPLE.findall(told)]
    assert examples, f"{name} --help shows no example"
    for own, *arguments in examples:
        GROUP.commands[own].make_context(own, arguments)  # type: ignore[attr-defined]


def test_every_command_that_the_doctor_names_is_taken_as_it_is_written() -> None:
    """No database is needed to be refused for what was typed."""

    def opening(_is_verbose: bool) -> Services:
        raise RetryLater("as_far_as_it_goes")

    told = "".join(path.read_text() for path in (ROOT / "sync" / "core" / "operations" / "doctor").glob("*.py"))
    lines = set(re.findall(r"`calendar-monitor ([^`]+)`", told))
    assert lines
    for line in sorted(lines):
        ended = invoke(shlex.split(line), Desk(opening=opening))
        assert ended.exit_code == ExitCode.NOT_NOW, f"{line}: {ended.stderr}"
