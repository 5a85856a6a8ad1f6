"""The demo, as `./scripts/demo` runs it once its environment stands, still tells what the front page shows."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from scripts.story.keeping import keep_environment
from tests.docs.pages import ROOT
from tests.world import wait_until


# A third of a minute where nothing else runs.
@pytest.mark.timeout(400)
def test_the_demo_ends_well_and_what_keep_says_to_do_does_it(tmp_path: Path) -> None:
    """Over a second: it is the whole story, and the commands wait for each push."""
    command = [sys.executable, "-m", "scripts.story", "--keep"]
    with (tmp_path / "told").open("w+") as file:
        demo = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: demo.poll() is not None or "# The dashboard" in _text(file), "the story's end", 200)
            told = _text(file)
            assert demo.poll() is None, told
            _try_what_is_told(told.split("# First", 1)[1])
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
            assert "Traceback" not in _text(file)
        finally:
            demo.kill()
            demo.wait()
    shown = (ROOT / "README.md").read_text().split("```text\n", 1)[1].split("```", 1)[0].splitlines()
    assert len(shown) > 10
    # Figures differ from run to run.
    assert {_without_figures(line) for line in shown} - {_without_figures(line) for line in told.splitlines()} == set()


def _text(file: TextIO) -> str:
    return Path(file.name).read_text()


def _without_figures(line: str) -> str:
    return "".join(character for character in line if not character.isdigit()).strip(" .")


def _try_what_is_told(told: str) -> None:
    """Runs it as it stands, in one shell, and looks at what each part shows."""
    bash = shutil.which("bash")
    assert bash
    script = "set -eu\n" + re.sub(r"^# (\w+)", r"echo '## \1' #", "# First" + told, flags=re.MULTILINE)
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [bash, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = dict(part.split("\n", 1) for part in done.stdout.split("## ")[1:])
    assert '"title":"Mine"' in seen["Add"]
    assert "T12:00:00" in seen["Move"].split('"start_time"')[1]
    before, _, after = seen["Cut"].partition('"success"')
    assert '"title":"Mine"' in before
    assert '"title":"Unannounced"' in after
    assert '"is_full":true' in seen["Expire"]
    assert '"status":"cancelled"' in seen["Delete"]
    assert seen["What"].count('"success":true') == 2
    assert '"healthy"' in seen["How"]


def test_a_second_demo_leaves_the_file_of_the_first_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as running:
        first = keep_environment(tmp_path, {"PORT": str(running.getsockname()[1])})
        second = keep_environment(tmp_path, {"PORT": "1"})
        assert (first.name, second.name) == ("demo.env", "demo-2.env")
        assert first.is_absolute()
    assert keep_environment(tmp_path, {"PORT": "1"}) == first
