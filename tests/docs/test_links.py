"""What the pages point at is there: links, anchors, and the files they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name_of

_NAMED_PATH = re.compile(
    r"`(?:\./)?((?:sync|scripts|supabase|tests|docs|deploy|examples|\.github)/[\w./-]*\w|"
    r"(?:app|gunicorn\.conf)\.py)/?`"
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_and_its_anchor_resolve(page: Path) -> None:
    broken = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = sorted(set(_NAMED_PATH.findall(page.read_text())))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_ten_questions_are_answered_by_a_path_each() -> None:
    section = (ROOT / "docs" / "architecture.md").read_text().split("## Ten questions", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and line.split("|")[1].strip().endswith("?")]
    assert len(rows) == 10
    assert [row for row in rows if not _NAMED_PATH.search(row)] == []


def test_every_page_of_docs_is_reached_from_the_front_page() -> None:
    front = {(ROOT / target.partition("#")[0]).resolve() for target in links(ROOT / "README.md")}
    assert [name_of(page) for page in PAGES if page.parent == ROOT / "docs" and page not in front] == []
