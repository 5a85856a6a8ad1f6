"""What stands on a terminal: text, whatever strangers call their calendars, and whatever the terminal can show."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from sync.cli.output import Output, text
from tests.command_line import Cli
from tests.world import World

HOSTILE = "al\x1b]0;owned\x07\x9b31m\u202e[/red][red]ice"
OBEYED = ("\x1b]", "\x07", "\x9b", "\u202e")


def test_a_name_beside_a_bar_is_neither_markup_nor_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with Output().progress("polling", 2) as tell:
        tell(1, HOSTILE)
    shown = capsys.readouterr().err
    assert "[/red][red]ice" in shown
    assert [each for each in OBEYED if each in shown] == []


def test_a_name_within_json_does_not_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.as_json = True
    out.answer({"name": HOSTILE + "é\ud800"}, lambda _: None)
    shown = capsys.readouterr().out
    assert [each for each in OBEYED if each in shown] == []
    assert "é" in shown
    assert json.loads(shown) == {"name": HOSTILE + "é\ud800"}


def test_the_question_before_an_erasure_cannot_command_the_terminal(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    world.db.execute("update google_credentials set google_account = %s", (HOSTILE,))

    asked = cli("erase", alice.user_id, answers="n\n")

    assert asked.exit_code == 2
    assert "Nothing was erased" in asked.stderr
    assert [each for each in OBEYED if each in asked.stderr] == []
    assert len(world.rows("select 1 from google_credentials where refresh_token is not null")) == 1


def test_what_a_terminal_cannot_show_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stdout)
    Output().answer({}, lambda console: _say(console))
    out = Output()
    out.as_json = True
    out.answer({"name": "é"}, lambda _: None)
    stdout.flush()
    assert b'"\\u00e9"' in stdout.buffer.getvalue()
    assert b"see ? mend" in stdout.buffer.getvalue()


def _say(console: Console) -> None:
    console.print(text("see → mend"))
