"""A tiny process that outlives the stack by a moment, to end what a killed stack can no longer end itself.

Run by `children.py` as a script (`python -I -S guardian.py`), so it imports nothing but the standard library.
It reads one instruction a line from stdin: `child PID SIGNAL` (a process group to end, and how it likes to be asked),
`done PID`, `directory PATH`, `kept PATH`. End of file means that the parent is gone, however it went: then it asks
every child, insists after a while, and removes the directories. After an orderly stop its lists are empty.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress

PATIENCE_SECONDS = 5.0
POLL_SECONDS = 0.02


def is_running(pid: int) -> bool:
    """Whether the process still runs. A zombie does not: its new parent may never collect it (containers)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return not os.path.isdir("/proc/self")  # no procfs: trust the signal; otherwise it ended in between


def end_children(children: dict[int, int]) -> None:
    """Ask each child with its signal, then kill the process groups of those that stay."""
    for pid, how in reversed(list(children.items())):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, how)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(is_running(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for pid in children:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def remove(directory: str) -> None:
    """Remove the tree; again while a dying process still writes into it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while os.path.exists(directory) and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        if os.path.exists(directory):
            time.sleep(POLL_SECONDS)


def main() -> None:
    """Follow the parent's instructions until it is gone, then clean up after it."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    children: dict[int, int] = {}
    directories: dict[str, None] = {}
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "child":
            pid, how = rest.split(" ")
            children[int(pid)] = int(how)
        elif verb == "done":
            children.pop(int(rest), None)
        elif verb == "directory":
            directories[rest] = None
        elif verb == "kept":
            directories.pop(rest, None)
    end_children(children)
    for directory in directories:
        remove(directory)


if __name__ == "__main__":
    main()
