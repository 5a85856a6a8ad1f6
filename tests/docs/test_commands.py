"""Every command in the pages is run here, or says which test runs it, or why none can.

A block of SQL runs as the role of Supabase's SQL editor, in a transaction that is rolled back. A block of shell runs in
the checkout with the service's environment and one connected user, in bash that stops at the first failure.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks, every_block, name_of
from tests.docs.test_cli_page import COMMANDS
from tests.world import World

SHELL = ("sh", "bash", "console", "shell")
# Shown, not run.
OTHER = (
    "text",
    "mermaid",
    "json",
    "js",
    "ts",
    "python",
    "yaml",
    "toml",
    "http",
    "ini",
    "dotenv",
    "nginx",
    "dockerfile",
)
# An HTTP error is a failure, too.
PRELUDE = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'


# Commands inside a sentence: they are not run, but what they start is there.
_INLINE_MODULE = re.compile(r"`[^`\n]*\bpython3? -m ([\w.]+)[^`\n]*`")
_INLINE_COMMAND = re.compile(r"`(?:\.venv/bin/)?(?:calendar-monitor|python -m sync\.cli) ([a-z][a-z-]*)[^`\n]*`")
_INLINE_SCRIPT = re.compile(r"`(?:\.venv/bin/python )?(?:\./)?(scripts/\w+)(?: [^`\n]*)?`")


def to_run(*languages: str) -> list[Block]:
    return [block for block in every_block() if block.language in languages and block.note is None]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_its_language(page: Path) -> None:
    assert [block.label for block in blocks(page) if block.language not in (*SHELL, *OTHER, "sql")] == []


@pytest.mark.parametrize("block", [block for block in every_block() if block.note], ids=lambda block: block.label)
def test_what_is_not_run_here_says_why_or_where(block: Block) -> None:
    assert block.note
    kind, _, rest = block.note.partition("run by ")
    if kind:
        assert len(block.note.removeprefix("not run: ").split()) >= 3, "say why, in words"
    else:
        assert (ROOT / rest.strip()).is_file()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_command_within_a_sentence_starts_is_there(page: Path) -> None:
    text = page.read_text()
    modules = sorted(set(_INLINE_MODULE.findall(text)))
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    commands = sorted(set(_INLINE_COMMAND.findall(text)))
    assert [name for name in commands if name not in COMMANDS] == []
    scripts = sorted(set(_INLINE_SCRIPT.findall(text)))
    assert [name for name in scripts if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("block", to_run("sql"), ids=lambda block: block.label)
def test_sql_runs_on_a_migrated_database(world: World, block: Block) -> None:
    with psycopg.connect(world.supabase.postgres_url) as editor:
        for statement in block.text.split(";\n"):
            if statement.strip():
                editor.execute(statement.encode())
        editor.rollback()


@pytest.mark.parametrize("block", to_run(*SHELL), ids=lambda block: block.label)
def test_shell_command_does_what_it_says(world: World, block: Block) -> None:
    alice = world.person()
    event = world.google.insert_event(alice.email, world.event("Standup"), notify=False)
    calendar = world.connect(alice)["calendars"][0]
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "-c", PRELUDE + block.text],
        cwd=ROOT,
        env={
            **world.environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "USER_ID": alice.user_id,
            "CALENDAR_ID": calendar["id"],
            "MEETING_ID": str(world.meetings(alice)[0]["id"]),
            "EVENT_ID": event["id"],
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
