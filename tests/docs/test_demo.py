"""The demo, as `./scripts/demo` runs it once its environment stands, still tells what the front page shows."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_demo_ends_well_and_tells_what_the_front_page_shows() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.story"], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = (ROOT / "README.md").read_text().split("```text\n", 1)[1].split("```", 1)[0].splitlines()
    told = done.stdout.splitlines()
    assert len(shown) > 10
    # Figures differ from run to run.
    assert {_without_figures(line) for line in shown} - {_without_figures(line) for line in told} == set()


def _without_figures(line: str) -> str:
    return "".join(character for character in line if not character.isdigit()).strip(" .")
