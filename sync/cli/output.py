"""Where a command's answer goes: on stdout, as tables for people or as one JSON document; progress and complaints on
stderr.

Names and titles come from strangers' calendars: they are written as text, without what a terminal would obey.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sync.core.operations.words import gravity

# Where there is no terminal (a file, a pipe), ids stay whole.
PIPE_WIDTH = 200
# JSON itself escapes the control characters of ASCII but the last.
_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")
_STYLES = {"good": "green", "warn": "yellow", "bad": "red"}


class Output:
    """One command's. `as_json`: nothing but one JSON document reaches stdout."""

    def __init__(self) -> None:
        self.as_json = False

    def answer(self, data: Any, show: Callable[[Console], None]) -> None:
        """`data` for scripts; `show` writes the same for people."""
        if self.as_json:
            _tell_scripts(data, indent=2)
        else:
            show(_console())

    def say(self, sentence: str) -> None:
        """Beside the answer: how far it is, what follows."""
        _console(stderr=True).print(text(sentence), soft_wrap=True)

    def refuse(self, code: str, sentence: str, *, is_said: bool = False) -> None:
        """It was not done. `is_said`: people were told already."""
        if self.as_json:
            _tell_scripts({"error": {"code": code, "message": sentence}})
        if not is_said:
            _console(stderr=True).print(text(sentence, "red"), soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int, str], None]]:
        """A bar on stderr while the block runs; it calls what it is given with how many are done, and a word on them.
        `total` None: nobody knows how many there are. Where there is no terminal, nothing is drawn."""
        console = _console(stderr=True)
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[word]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        with bar:
            task = bar.add_task(what, total=total, word="")
            yield lambda done, word: bar.update(task, completed=done, word=text(word).plain)


def text(value: object, style: str = "") -> Text:
    """As it is, without control characters."""
    kept = "".join(each if each.isprintable() or each == "\n" else "�" for each in str(value))
    return Text(kept, style=style)


def graded(state: object, shown: object = None) -> Text:
    """A state in the colour of its gravity."""
    return text(state if shown is None else shown, _STYLES.get(gravity(state), ""))


def pairs(rows: Mapping[str, object]) -> Table:
    """Names and values, a line each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value if isinstance(value, Text) else text("–" if value is None else value))
    return table


def listing(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> Table:
    table = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(value if isinstance(value, Text) else text("" if value is None else value) for value in row))
    return table


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # What a terminal's encoding lacks (→ in ASCII) is no reason to end.
        stream.reconfigure(errors="replace")
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def _tell_scripts(data: object, indent: int | None = None) -> None:
    """JSON on stdout. Unprintable characters within it are escaped: somebody may look at it on a terminal."""
    is_ascii = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    told = json.dumps(data, indent=indent, ensure_ascii=is_ascii, default=_plain_value)
    print(_BEYOND_ASCII.sub(_escaped, told))  # noqa: T201


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def _plain_value(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value of JSON")
