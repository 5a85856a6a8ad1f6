"""The emulator as the stack runs it: a process that prints its URL and stops on SIGTERM."""

from __future__ import annotations

import signal
import subprocess
import sys

import httpx
import pytest

from scripts.stack.google import EmulatorProcess, GoogleControl

ALICE = "alice@example.com"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_process_serves_at_the_url_it_prints_and_stops_on_a_signal(ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "scripts.stack.google", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert GoogleControl(url).add_account(ALICE).startswith("1//")
        process.send_signal(ending)
        assert process.wait(60) == 0


def test_a_process_can_be_started_from_python() -> None:
    with EmulatorProcess("--client-id", "mine", "--client-secret", "hidden") as process:
        token = process.control.add_account(ALICE)
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "mine", "client_secret": "hidden"}
        assert httpx.post(f"{process.url}/token", data=form).status_code == 200
        assert process.stop() == 0
        with pytest.raises(httpx.ConnectError):
            httpx.post(f"{process.url}/token", data=form)


def test_a_process_that_cannot_listen_says_so() -> None:
    with EmulatorProcess() as first, pytest.raises(RuntimeError, match="before it listened"):
        EmulatorProcess("--port", first.url.rpartition(":")[2]).start()
