"""The Markdown pages of this checkout, taken apart: links, anchors, fenced blocks and what stands above them.

A fenced block of a command language is run by `test_commands`, unless a comment right above it says otherwise:

    <!-- not run: it needs a hosted project -->        why it cannot be
    <!-- run by tests/stack/test_x.py -->              which test runs it
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    sorted(
        [
            *ROOT.glob("*.md"),
            *(ROOT / "docs").rglob("*.md"),
            *(ROOT / "examples").rglob("*.md"),
            ROOT / "deploy" / "README.md",
        ]
    )
)

_FENCE = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_NOTE = re.compile(r"<!-- ((?:not run: |run by )(?:(?!-->).)+) -->\s*\Z", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_EXPLICIT_ANCHOR = re.compile(r'<a (?:id|name)="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `line` of its fence in `page`; `note` of the comment right above it, if there is one."""

    page: str
    line: int
    language: str
    text: str
    note: str | None

    @property
    def label(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for fence in _FENCE.finditer(text):
        note = _NOTE.search(text[: fence.start()])
        line = text.count("\n", 0, fence.start()) + 1
        lines = (part.removeprefix(fence[1]) for part in fence[4].splitlines(keepends=True))
        found.append(Block(name_of(page), line, fence[3].strip(), "".join(lines), note[1] if note else None))
    return found


def every_block() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


def links(page: Path) -> list[str]:
    """Targets of its Markdown links, those in fenced blocks left out."""
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives its headings, and those it names itself."""
    text = _FENCE.sub("", page.read_text())
    seen: Counter[str] = Counter()
    found = set(_EXPLICIT_ANCHOR.findall(text))
    for heading in _HEADING.findall(text):
        slug = _slug(heading)
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def _slug(heading: str) -> str:
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    kept = re.sub(r"[^\w\- ]", "", shown.replace("`", "").lower())
    return kept.replace(" ", "-")
