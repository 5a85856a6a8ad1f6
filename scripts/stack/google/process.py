"""The emulator as a process of its own, for whoever tests a service that they start as processes.

Owns starting `python -m scripts.stack.google`, learning its URL, and ending it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType

from .control import GoogleControl

CHECKOUT = Path(__file__).resolve().parents[3]
STOP_SECONDS = 10.0


class EmulatorProcess:
    """One process, listening on loopback. `start` returns once it accepts; `stop` ends it, and its state with it."""

    def __init__(self, *options: str) -> None:
        """`options` as on the command line: "--port", "8085"."""
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def control(self) -> GoogleControl:
        """A client of its control API; good after `start`."""
        return GoogleControl(self.url)

    def start(self) -> EmulatorProcess:
        """Start and wait for the URL; RuntimeError if it ends instead (its own words are on stderr)."""
        command = [sys.executable, "-m", "scripts.stack.google", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self._process.wait()
            raise RuntimeError(f"the emulator ended with {self.stop()} before it listened")
        return self

    def stop(self) -> int:
        """SIGTERM, and the exit code; 0 is a clean end. Kills what does not end in time."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    def __enter__(self) -> EmulatorProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
