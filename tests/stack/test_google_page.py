"""The emulator's page says what there is, and its examples run as they stand."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from scripts.stack.google import EmulatorServer, GoogleControl
from scripts.stack.google.control_api import ControlApi
from scripts.stack.google.emulator import Emulator
from scripts.stack.google.faults import KINDS
from scripts.stack.google.switches import Switches
from tests.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "emulator.md"


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, its heading left out."""
    text = PAGE.read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def the_block(language: str, containing: str) -> Block:
    (block,) = [block for block in blocks(PAGE) if block.language == language and containing in block.text]
    return block


def test_every_switch_is_there_with_its_default() -> None:
    said = {name: ast.literal_eval(cells[1].strip("`")) for cells in rows("Switches") for name in named(cells[0])}
    assert said == asdict(Switches())


def test_every_fault_is_there_once() -> None:
    assert sorted(name for cells in rows("Faults") for name in named(cells[0])) == sorted(KINDS)


def test_every_command_is_there_and_has_a_method() -> None:
    commands = ControlApi(Emulator()).commands
    assert sorted(name for cells in rows("Control API") for name in named(cells[0])) == commands
    assert sorted(name for name in vars(GoogleControl) if not name.startswith("_")) == commands


def test_the_example_is_a_test_that_passes(tmp_path: Path) -> None:
    example = the_block("python", "def test_")
    (tmp_path / "test_example.py").write_text(example.text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_control_api_answers_plain_curl() -> None:
    commands = the_block("bash", "/_emulator/")
    with EmulatorServer() as server:
        script = 'set -eu\ncurl() { command curl --silent --fail-with-body "$@"; }\n' + commands.text
        subprocess.run(["bash", "-c", script], env={"EMULATOR": server.url, "PATH": "/usr/bin:/bin"}, check=True)
        assert server.emulator.clock.offset_seconds == 86400
        assert server.emulator.switches.opaque_instance_ids
