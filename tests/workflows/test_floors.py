"""The import contracts bite: each forbidden import, put into a copy of the house, turns lint-imports red."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.cron_service import ROOT

AGAINST_THE_FLOORS = [
    ("sync/jobs/accounts/newcomer.py", "import sync.web.doors.auth"),
    ("sync/core/series/newcomer.py", "import sync.jobs.services"),
    ("sync/core/series/newcomer.py", "import sync.clients.store"),
    ("sync/core/series/newcomer.py", "import sync.settings"),
    ("sync/clients/google/newcomer.py", "import sync.core.polling.plan"),
    ("sync/clients/google/newcomer.py", "import sync.jobs.services"),
    ("sync/clients/google/newcomer.py", "import sync.clients.store"),
    ("sync/core/series/newcomer.py", "import sync.core.meetings.translate"),
    ("sync/core/links/newcomer.py", "import sync.core.series.recurrence"),
    ("sync/core/meetings/newcomer.py", "import sync.core.polling.plan"),
    ("sync/core/accounts/newcomer.py", "import sync.core.polling.plan"),
    ("sync/jobs/syncing/newcomer.py", "import sync.jobs.accounts.connect_calendar"),
    ("sync/jobs/watching/newcomer.py", "import sync.jobs.syncing.sync_calendar"),
    ("sync/jobs/accounts/newcomer.py", "import sync.jobs.worker"),
    ("sync/web/doors/newcomer.py", "import sync.web.functions.polling"),
    ("sync/web/accounts/newcomer.py", "import sync.web.functions.polling"),
    ("sync/model.py", "import sync.core.polling.plan"),
    ("sync/errors.py", "import sync.settings"),
    ("sync/core/series/newcomer.py", "import time"),
    ("sync/core/series/newcomer.py", "import os.path"),
    ("sync/core/series/newcomer.py", "from random import random"),
    ("sync/core/series/newcomer.py", "import httpx"),
    ("sync/core/series/newcomer.py", "from google.auth import credentials"),
    ("sync/model.py", "import time"),  # core would reach it through model
    ("sync/jobs/syncing/newcomer.py", "import httpx"),
    ("sync/web/functions/newcomer.py", "import supabase"),
    ("sync/web/functions/newcomer.py", "import app"),
    ("sync/jobs/syncing/newcomer.py", "import scripts.stack.ports"),
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy to break: what lint-imports reads."""
    ignore = shutil.ignore_patterns("__pycache__")
    for package in ("sync", "scripts"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def _lint(house: Path) -> subprocess.CompletedProcess[str]:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([lint_imports, "--no-cache"], cwd=house, capture_output=True, text=True, check=False)


def test_the_house_as_it_stands_keeps_every_contract(house: Path) -> None:
    checked = _lint(house)
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


def test_every_import_against_the_floors_is_red_and_named(house: Path) -> None:
    """All in one copy: a run of lint-imports costs far more than what it finds."""
    forbidden = []
    for number, (module, statement) in enumerate(AGAINST_THE_FLOORS):
        path = module.replace("newcomer", f"newcomer_{number}")
        with (house / path).open("a", encoding="utf-8") as file:
            file.write(f"\n\n{statement}\n")
        forbidden.append(f"{path.removesuffix('.py').replace('/', '.')} -> {_seen_as(statement)} (l.")
    checked = _lint(house)
    assert checked.returncode != 0
    assert [line for line in forbidden if line not in checked.stdout] == [], checked.stdout


def _seen_as(statement: str) -> str:
    """What is imported, as lint-imports names it: of what is not ours, the package alone."""
    name = statement.split()[1]
    root = name.split(".")[0]
    return name if root in ("sync", "scripts") else root


def test_every_new_module_needs_a_floor_and_a_room(house: Path) -> None:
    modules = ["helpers", "core/helpers", "jobs/helpers", "web/helpers", "clients/x"]
    for module in modules:
        (house / "sync" / f"{module}.py").touch()
    checked = _lint(house)
    assert checked.returncode != 0
    unlisted = [f"- sync.{module.replace('/', '.')}\n" for module in modules]
    assert [line for line in unlisted if line not in checked.stdout] == [], checked.stdout


def test_app_never_imports_the_development_stack() -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "app.py").read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert "sync" in imported
    assert not imported & {"scripts", "tests"}
