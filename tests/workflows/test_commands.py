"""`scripts/test` and `.ci/run`: started the way a machine would that knows nothing of us."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflows.cron_service import ROOT

PIN = "flask==3.1.0 \\\n    --hash=sha256:0a1b \\\n    --hash=sha256:2c3d\n    # via here\n"
# What is started here is pytest, not our fixtures, which import the whole service.
LIGHTLY = ("--noconftest",)


@pytest.mark.parametrize("name", ["scripts/test", "scripts/setup", ".ci/run"])
def test_command_can_be_executed(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


def test_ci_run_calls_the_test_script_and_nothing_else() -> None:
    shebang, *commands = (ROOT / ".ci" / "run").read_text().splitlines()
    assert shebang == "#!/usr/bin/env bash"
    assert [line for line in commands if line and not line.startswith("#")] == [
        'cd "$(dirname "${BASH_SOURCE[0]}")/.." && exec ./scripts/test'
    ]


def test_test_script_passes_arguments_to_pytest_alone_from_any_directory_without_a_home(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "test", *LIGHTLY, "--collect-only", "-q", str(Path(__file__))],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_ci_run_calls_the_test_script_and_nothing_else" in done.stdout
    assert "== ruff" not in done.stdout
    assert "== all passed in" in done.stdout


def test_failing_step_stops_the_test_script_and_is_named() -> None:
    arguments = [*LIGHTLY, "--no-such-option"]
    done = subprocess.run(
        [ROOT / "scripts" / "test", *arguments], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode != 0
    assert f'== FAILED in "pytest {" ".join(arguments)}" after' in done.stdout


@pytest.mark.parametrize(
    ("requirements", "passes"),
    [
        (PIN, True),
        (PIN + "# comment\n\n" + PIN.replace("3.1.0", "3.1.0 ; python_version < '3.12'"), True),
        (PIN.replace("flask", "psycopg[binary]"), True),
        ("", False),
        ("flask==3.1.0\n", False),
        (PIN.replace("==", ">="), False),
        (PIN + "requests==2.0\n", False),
        ("--index-url https://registry.example.com/simple\n" + PIN, False),
        ("-i https://registry.example.com/simple\n" + PIN, False),
        (PIN.replace("flask==3.1.0", "flask @ https://registry.example.com/flask.whl"), False),
        ("-r other.txt\n" + PIN, False),
        (PIN.split("\n", maxsplit=1)[0] + "\n", False),
    ],
)
def test_requirements_are_versions_with_hashes_and_no_address(tmp_path: Path, requirements: str, passes: bool) -> None:
    """Runs the script's own function, cut out of it."""
    text = (ROOT / "scripts" / "test").read_text()
    function = "check_pins() {" + text.split("check_pins() {", 1)[1].split("\n}\n", 1)[0] + "\n}"
    (tmp_path / "requirements.txt").write_text(requirements)
    bash = shutil.which("bash")
    assert bash
    checked = subprocess.run(
        [bash, "-c", f"{function}\ncheck_pins requirements.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode == 0) is passes, checked.stdout + checked.stderr
