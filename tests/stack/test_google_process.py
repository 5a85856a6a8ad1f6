"""The emulator as the stack runs it: a process that prints its URL and stops on SIGTERM."""

from __future__ import annotations

import signal
import subprocess
import sys

from scripts.stack.google.control import GoogleControl


def test_the_process_serves_at_the_url_it_prints_and_stops_on_sigterm() -> None:
    command = [sys.executable, "-m", "scripts.stack.google", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert GoogleControl(url).add_account("alice@example.com").startswith("1//")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
