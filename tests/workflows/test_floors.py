"""The import contracts bite: each forbidden import, put into a copy of the house, turns lint-imports red."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.cron_service import ROOT


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


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("sync/jobs/newcomer.py", "import sync.web.auth"),
        ("sync/core/newcomer.py", "import sync.jobs.services"),
        ("sync/core/newcomer.py", "import sync.clients.store"),
        ("sync/core/newcomer.py", "import sync.settings"),
        ("sync/clients/newcomer.py", "import sync.core.plan"),
        ("sync/clients/newcomer.py", "import sync.jobs.services"),
        ("sync/model.py", "import sync.core.plan"),
        ("sync/errors.py", "import sync.settings"),
        ("sync/core/newcomer.py", "import time"),
        ("sync/core/newcomer.py", "import os.path"),
        ("sync/core/newcomer.py", "from random import random"),
        ("sync/core/newcomer.py", "import httpx"),
        ("sync/core/newcomer.py", "from google.auth import credentials"),
        ("sync/model.py", "import time"),  # core would reach it through model
        ("sync/jobs/newcomer.py", "import httpx"),
        ("sync/web/newcomer.py", "import supabase"),
        ("sync/web/newcomer.py", "import app"),
        ("sync/jobs/newcomer.py", "import scripts.stack.ports"),
    ],
)
def test_import_against_the_floors_is_red(house: Path, module: str, statement: str) -> None:
    with (house / module).open("a", encoding="utf-8") as file:
        file.write(f"\n\n{statement}\n")
    checked = _lint(house)
    assert checked.returncode != 0
    assert "1 broken" in checked.stdout or "2 broken" in checked.stdout


def test_new_module_needs_a_floor(house: Path) -> None:
    (house / "sync" / "helpers.py").touch()
    assert _lint(house).returncode != 0


def test_app_never_imports_the_development_stack() -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "app.py").read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert "sync" in imported
    assert not imported & {"scripts", "tests"}
