"""The tree speaks of people as "they", and of no machine but the reader's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, name_of

# What others wrote, as they wrote it.
VENDORED = {"__pycache__", "uplot"}
PLACES = ("sync", "scripts", "tests", "supabase", "docs", "deploy", "examples", ".github", ".ci")
# Written so that this file does not find itself.
GENDERED = re.compile(r"(?<![a-z])(h[e]|h[i]s|h[i]m|sh[e]|h[e]rs?|(h[i]m|h[e]r)self)(?![a-z])", re.IGNORECASE)
MACHINE = re.compile(r"(?<![\w.])/(tm[p]|wor[k]|hom[e]|roo[t]|User[s])/\w")


def texts() -> Iterator[tuple[str, str]]:
    paths = [*ROOT.glob("*.md"), *ROOT.glob("*.py"), ROOT / "pyproject.toml"]
    for place in PLACES:
        paths.extend(path for path in (ROOT / place).rglob("*") if path.is_file() and not VENDORED & set(path.parts))
    for path in paths:
        try:
            yield name_of(path), path.read_text()
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("banned", [GENDERED, MACHINE], ids=["gendered", "machine"])
def test_no_file_has_such_words(banned: re.Pattern[str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if banned.search(line)
    ]
    assert found == []


def test_the_page_list_is_not_empty() -> None:
    assert {"README.md", "SECURITY.md"} <= {name for name, _ in texts()}
    assert any(Path(name).suffix == ".sql" for name, _ in texts())
