"""What the pages claim is true where a machine can tell."""

from __future__ import annotations

import re
import tomllib

from tests.docs.pages import ROOT
from tests.sql.operations import test_dashboard_queries as dashboard

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_runtime_dependency_earns_its_line() -> None:
    section = (ROOT / "README.md").read_text().split("## Dependencies", 1)[1].split("\n## ", 1)[0].lower()
    names = [dependency.split(">")[0] for dependency in PROJECT["dependencies"]]
    assert names
    assert [name for name in names if name not in section] == []


def test_every_symptom_of_the_runbook_can_be_seen() -> None:
    runbook = (ROOT / "docs" / "operations.md").read_text().split("## Symptom", 1)[1].split("\n## ", 1)[0]
    symptoms = [line.split("|")[1] for line in runbook.splitlines() if line.startswith("| ")]
    codes = {code.rstrip("…") for symptom in symptoms for code in re.findall(r"`([^`]+)`", symptom)}
    # The emulator: for the reasons that Google gives, and that are passed on.
    places = [*(ROOT / "sync").rglob("*.py"), *(ROOT / "supabase").rglob("*.sql"), *(ROOT / "scripts").rglob("*.py")]
    known = "\n".join(path.read_text() for path in places)
    assert {"paused", "polled_only", "rateLimitExceeded"} <= codes
    assert sorted(code for code in codes if code not in known) == []


def test_dashboard_queries_of_the_runbook_are_the_ones_whose_figures_are_tested() -> None:
    queries = {name: value for name, value in vars(dashboard).items() if name.isupper() and isinstance(value, str)}
    assert len(queries) >= 5
    page = words((ROOT / "docs" / "operations.md").read_text())
    assert [name for name, query in queries.items() if words(query) not in page] == []


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert PROJECT["license"] == "MIT"
    for name in PROJECT["license-files"]:
        assert (ROOT / name).read_text().startswith("MIT License\n")


def test_the_changelog_has_the_declared_version_or_says_that_nothing_is_released() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog
    assert f"## [{PROJECT['version']}]" in changelog or "Nothing is released yet." in changelog
