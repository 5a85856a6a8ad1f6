"""Owns the stack's child processes and temporary directories: all of them end with the stack, however it ends.

An orderly end is `Children.stop()`. For a parent killed with SIGKILL there is the guardian (`guardian.py`), which
notices that its pipe closed. Linux's parent-death signal is not used: it fires when the *thread* that started a child
ends, and tests start stacks from threads. Called by postgres.py, postgrest.py and supabase.py.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 10.0


class StackError(RuntimeError):
    """The stack cannot do what was asked; the message says why and what would help."""


@dataclass(frozen=True)
class User:
    """The account a child runs as, when the stack itself is run by root."""

    name: str
    uid: int
    gid: int


@dataclass
class Child:
    """One running child, the signal it likes to be stopped with, and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    stop_signal: int
    log: Path

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def log_tail(self) -> str:
        """The last lines of its output, for error messages."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        except OSError:
            return ""


class Children:
    """The processes and directories of one stack, with the guardian that survives it."""

    def __init__(self, *, shared_with_guardian: Sequence[int] = ()) -> None:
        """Start the guardian. It inherits the given descriptors: a lock among them holds until it has cleaned up."""
        self._children: list[Child] = []
        self._directories: list[Path] = []
        self._lock = threading.Lock()
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guardian.py"))],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=tuple(shared_with_guardian),
            cwd="/",
        )

    def directory(self, prefix: str, *, parent: Path | None = None) -> Path:
        """A new private directory that is removed with the stack."""
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self._tell(f"directory {path}")
        self._directories.append(path)
        return path

    def spawn(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        user: User | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: int = signal.SIGTERM,
        cwd: Path | None = None,
    ) -> Child:
        """Start a child in its own session (so that Ctrl-C reaches only the stack), as `user` when given."""
        who = {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if environment is None else dict(environment),
                start_new_session=True,
                cwd=cwd or "/",
                **who,  # type: ignore[call-overload]  # a dict of keyword arguments has no overload
            )
        child = Child(name, process, stop_signal, log)
        self._tell(f"child {process.pid} {int(stop_signal)}")
        with self._lock:
            self._children.append(child)
        return child

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        user: User | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a child to its end; StackError with its output when it fails."""
        child = self.spawn(name, command, log=log, user=user, environment=environment)
        if child.process.wait() != 0:
            raise StackError(f"{name} failed:\n{child.log_tail()}")
        self.forget(child)

    def forget(self, child: Child) -> None:
        """Strike off a child that has ended."""
        with self._lock:
            self._children.remove(child)
        self._tell(f"done {child.process.pid}")

    def ended(self) -> Child | None:
        """A child that has ended without being asked."""
        with self._lock:
            return next((child for child in self._children if child.ended()), None)

    def end(self, child: Child) -> None:
        """Stop one child: ask, wait, insist."""
        with suppress(ProcessLookupError):
            child.process.send_signal(child.stop_signal)
        self._await_end(child, time.monotonic() + STOP_SECONDS)

    def stop(self) -> None:
        """End every child, the latest first, remove the directories, and let the guardian go. Safe to call twice."""
        with self._lock:
            children = list(reversed(self._children))
        for child in children:
            with suppress(ProcessLookupError):
                child.process.send_signal(child.stop_signal)
        deadline = time.monotonic() + STOP_SECONDS
        for child in children:
            self._await_end(child, deadline)
        while self._directories:
            path = self._directories.pop()
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():  # else the guardian tries again, with patience
                self._tell(f"kept {path}")
        if self._guardian.stdin is not None and not self._guardian.stdin.closed:
            with suppress(BrokenPipeError):
                self._guardian.stdin.close()
        self._guardian.wait()

    def _await_end(self, child: Child, deadline: float) -> None:
        try:
            child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        self.forget(child)

    def _tell(self, line: str) -> None:
        if self._guardian.stdin is None or self._guardian.stdin.closed:
            return
        with suppress(BrokenPipeError):
            self._guardian.stdin.write(f"{line}\n".encode())
            self._guardian.stdin.flush()
