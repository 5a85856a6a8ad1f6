"""How the story is told: chapters, lines with the time since the beginning, a closing table. Plain text; colour on a
terminal."""

from __future__ import annotations

import os
import sys
import time

_COLOURS = {"title": "1;36", "good": "32", "bad": "1;31", "dim": "2"}


class Teller:
    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def chapter(self, title: str) -> None:
        print(f"\n{self._paint('title', title)}", flush=True)

    def line(self, text: str) -> None:
        stamp = self._paint("dim", f"{time.perf_counter() - self._began:6.1f} s")
        print(f"{stamp}  {text}", flush=True)

    def good(self, text: str) -> None:
        self.line(self._paint("good", "✓ ") + text)

    def bad(self, text: str) -> None:
        self.line(self._paint("bad", "✗ ") + text)

    def table(self, rows: list[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            print(f"          {name.ljust(width)}  {value}", flush=True)

    def _paint(self, kind: str, text: str) -> str:
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._colour else text
