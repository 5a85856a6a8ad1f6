"""The files that hosts read: they parse, name keys that the service reads, and start what is there."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from typing import Any

import pytest
import yaml

from sync.jobs.driving.leaving import CLOSE_SECONDS, WORK_SECONDS
from sync.settings import KEYS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
# Read by gunicorn.conf.py.
PROCESS_KEYS = {"PORT", "WEB_CONCURRENCY"}
NEEDED = {key.name for key in KEYS if key.default is None and not key.optional}
FILES = sorted([*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.toml"), ROOT / "compose.yaml"])


def documents(path: Path) -> list[Any]:
    if path.suffix == ".toml":
        return [tomllib.loads(path.read_text())]
    return list(yaml.safe_load_all(path.read_text()))


def named_keys(node: Any) -> set[str]:
    """The environment keys in any of the hosts' ways to name them."""
    if isinstance(node, list):
        return set().union(*(named_keys(each) for each in node))
    if not isinstance(node, dict):
        return set()
    found = {
        str(node[name]) for name in ("key", "name", "envVarKey") if re.fullmatch(r"[A-Z][A-Z_]+", str(node.get(name)))
    }
    for name in ("env", "environment"):
        if isinstance(node.get(name), dict):
            found |= set(node[name])
    return found.union(*(named_keys(each) for each in node.values()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_key_in_a_hosts_file_is_one_that_the_service_reads(path: Path) -> None:
    assert named_keys(documents(path)) - {key.name for key in KEYS} - PROCESS_KEYS == set()


@pytest.mark.parametrize("name", ["cloud-run/service.yaml", "render/render.yaml"])
def test_a_file_that_lists_keys_lists_each_that_is_needed(name: str) -> None:
    assert named_keys(documents(DEPLOY / name)) >= NEEDED


def test_the_page_names_each_needed_key_and_each_file() -> None:
    page = (DEPLOY / "README.md").read_text()
    assert [name for name in sorted(NEEDED) if f"`{name}`" not in page] == []
    assert [path.name for path in FILES if path.name not in page] == []


def test_the_image_is_not_root_and_installs_by_hash() -> None:
    assert re.search(r"^USER 1\d+$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes" in DOCKERFILE
    assert "/healthz" in DOCKERFILE.split("HEALTHCHECK", 1)[1]
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert {re.sub(r"\d", "0", base) for base in bases} == {"python:0.00-slim-trixie"}


def test_what_the_image_copies_is_all_that_both_processes_import(tmp_path: Path) -> None:
    """Over a second: it imports the whole service in a process of its own, which alone tells a missing file."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            assert source.rstrip("/") in allowed
            if (ROOT / source).is_dir():
                copytree(ROOT / source, tmp_path / target, ignore=ignore_patterns("__pycache__"))
            elif not target.startswith("/"):
                copy(ROOT / source, tmp_path / target)
    command = json.loads(DOCKERFILE.rsplit("\nCMD ", 1)[1])
    module, _, call = command[-1].partition(":")
    assert isinstance(ast.parse(call, mode="eval").body, ast.Call)
    code = (
        f"import {module}, sync.jobs.worker, sync.adoption as a; {module}.{call.removesuffix('()')}; print(a.CHECKOUT)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path)


_TO_STOP = re.compile(
    r"(?:kill_timeout|drainingSeconds|maxShutdownDelaySeconds|stop_grace_period|terminationGracePeriodSeconds)\W+(\d+)"
)


def test_every_host_waits_longer_than_a_stop_takes() -> None:
    """Cloud Run's ten seconds are not adjustable."""
    graceful_timeout = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["graceful_timeout"]
    assert WORK_SECONDS + CLOSE_SECONDS < graceful_timeout < 10
    adjustable = [path for path in FILES if path.parent.name not in ("cloud-run", "prometheus")]
    waits = [[int(seconds) for seconds in _TO_STOP.findall(path.read_text())] for path in adjustable]
    assert all(waits)
    # Kubernetes counts the five seconds before SIGTERM.
    assert min(map(min, waits)) >= 10 + 5
