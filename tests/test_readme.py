"""The README is true where a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sync.settings import KEYS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", [key.name for key in KEYS])
def test_every_environment_key_is_in_the_configuration_table(name: str) -> None:
    assert re.search(rf"^\|.*`{name}`", README, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(?:\./)?((?:scripts|sync|supabase)/[\w/]+)/?`", README))))
def test_every_path_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_runtime_dependency_earns_its_line() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    runtime = project.split("dependencies = [", 1)[1].split("]", 1)[0]
    names = re.findall(r'"([a-z0-9-]+)', runtime)
    section = README.split("## Dependencies", 1)[1].split("\n## ", 1)[0].lower()
    assert names
    assert [name for name in names if name not in section] == []
