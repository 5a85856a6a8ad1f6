"""scripts/setup makes the environment once, again when the requirements change, and survives interruption.

Run on a copy of the script in a checkout of its own, whose requirements are empty: what pip does is not the point.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup"
# An environment is made, and pip is asked several times: a minute where four workers share a core.
pytestmark = pytest.mark.timeout(400)


class Checkout:
    """A small checkout, and the script run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "scripts").mkdir(parents=True)
        shutil.copy(SCRIPT, root / "scripts" / "setup")
        self.require("# nothing\n")

    def require(self, text: str) -> None:
        (self.root / "requirements.txt").write_text(text)
        (self.root / "requirements-dev.txt").write_text(text)

    def setup(self, **changes: str) -> subprocess.CompletedProcess[str]:
        return self.shell(f'"{self.root}/scripts/setup"', **changes)

    def shell(self, script: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "PYTHON": sys.executable} | changes
        command = ["bash", "-euc", script]
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)

    @property
    def stamp(self) -> Path:
        return self.root / ".venv" / "requirements.stamp"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose environment was made with the first call, in a directory whose name wants quoting."""
    checkout = Checkout(tmp_path_factory.mktemp("stack") / "check out")
    first = checkout.setup()
    assert first.returncode == 0, first.stderr
    assert "making .venv" in first.stderr
    return checkout


@pytest.fixture
def checkout(made: Checkout) -> Checkout:
    """That checkout, up to date."""
    made.require("# nothing\n")
    assert made.setup().returncode == 0
    return made


def test_second_call_has_nothing_to_do_or_say(checkout: Checkout) -> None:
    made_at = checkout.stamp.stat().st_mtime_ns
    second = checkout.setup()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert checkout.stamp.stat().st_mtime_ns == made_at


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "/nonexistent"}])
def test_sourcing_script_finds_the_python_and_keeps_its_directory(checkout: Checkout, home: dict[str, str]) -> None:
    checkout.stamp.unlink()
    script = f'. "{checkout.root}/scripts/setup"; pwd; "$VENV_PYTHON" -c "import sys; print(sys.prefix)"; echo "$-"'
    result = checkout.shell(script, **home)
    assert result.returncode == 0, result.stderr
    directory, prefix, options = result.stdout.splitlines()
    assert (directory, prefix) == ("/", str(checkout.root / ".venv"))
    assert {"e", "u"} <= set(options)


def test_changed_requirements_are_installed(checkout: Checkout) -> None:
    stamp = checkout.stamp.read_text()
    checkout.require("# something else\n")
    result = checkout.setup()
    assert "installing the requirements" in result.stderr
    assert "making" not in result.stderr
    assert checkout.stamp.read_text() != stamp


def test_failed_installation_is_told_and_tried_again(checkout: Checkout) -> None:
    checkout.require("without-a-hash\n")
    for _ in range(2):
        result = checkout.setup()
        assert result.returncode == 1
        assert "pip could not install the requirements" in result.stderr
        assert not checkout.stamp.exists()


def test_sourcing_script_does_not_go_on_after_a_failure(checkout: Checkout) -> None:
    result = checkout.shell(f'. "{checkout.root}/scripts/setup"; echo not reached', PYTHON="/nonexistent/python")
    assert (result.returncode, result.stdout) == (1, "")
    assert "no Python 3.11 or newer" in result.stderr


def test_damaged_environment_is_made_anew(checkout: Checkout, tmp_path: Path) -> None:
    environment = checkout.root / ".venv"
    shutil.copytree(environment, tmp_path / "made", symlinks=True)
    (environment / "bin" / "python").unlink()
    (environment / "left over").touch()
    python = _python_that_moves(tmp_path / "made", tmp_path / "python")
    assert "making .venv" in checkout.setup(PYTHON=str(python)).stderr
    assert not (environment / "left over").exists()
    assert checkout.setup().stderr == ""


def _python_that_moves(made: Path, path: Path) -> Path:
    """This Python, but an environment that it is to make in place of another is already there."""
    path.write_text(f"""#!/bin/sh
[ "$*" = "-m venv --clear .venv" ] || exec "{sys.executable}" "$@"
rm -rf .venv && mv "{made}" .venv
""")
    path.chmod(0o755)
    return path
