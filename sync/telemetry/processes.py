"""Gunicorn's workers and the files that their figures are summed from.

Each worker has a slot, a small number that whoever replaces it takes over with its file: counters go on where the dead
worker left them, and there are never more files than workers at a time. The master gives slots and takes them back; its
hooks in `gunicorn.conf.py` call these functions. A single process (flask, the jobs' worker) needs none of it.

The directory must be known before `prometheus_client` is imported, so nothing here imports it at the top.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "calendar-monitor-metrics-"
# Held by the master and its workers as long as any of them lives, whatever process ids mean to who looks.
LOCK = "lock"
# A master makes its directory and its lock within moments.
FRESH_SECONDS = 60.0

_given: set[int] = set()
_own = ""
_lock: int | None = None


def begin() -> None:
    """In the master, before its first worker: a fresh directory, whatever an earlier master had handed on. Directories
    of masters that were killed go."""
    global _lock
    _sweep(Path(tempfile.gettempdir()))
    os.environ[FOLDER] = tempfile.mkdtemp(prefix=PREFIX)
    _lock = _take_lock(Path(os.environ[FOLDER]))
    _given.clear()


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        # One may be gone since it was listed; and what others have put there, a link perhaps, is not ours.
        with suppress(OSError):
            found = folder.lstat()
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if not is_ours or time.time() < found.st_mtime + FRESH_SECONDS:
                continue
            held = _take_lock(folder)
            if held is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)


def _take_lock(folder: Path) -> int | None:
    """A descriptor that holds it until it and its copies in forked workers are closed; None: somebody else does."""
    descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def end() -> None:
    """In the master, at its end."""
    global _lock
    folder = os.environ.pop(FOLDER, None)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    if _lock is not None:
        os.close(_lock)
        _lock = None


def give_slot() -> str:
    """In the master, before a fork: the lowest slot that nobody has."""
    slot = next(number for number in range(len(_given) + 1) if number not in _given)
    _given.add(slot)
    return str(slot)


def take_slot(slot: str) -> None:
    """In the worker, after the fork."""
    global _own
    _own = slot
    (Path(os.environ[FOLDER]) / f"{slot}.pid").write_text(str(os.getpid()), encoding="ascii")


def free_slot(slot: str) -> None:
    """In the master, once the worker is gone: what it was doing at its end it does no more."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(slot, os.environ[FOLDER])  # type: ignore[no-untyped-call]
    with suppress(OSError):
        (Path(os.environ[FOLDER]) / f"{slot}.pid").unlink()
    _given.discard(int(slot))


def own_slot() -> str:
    """By which this process' files are named."""
    return _own or str(os.getpid())


def are_several() -> bool:
    return FOLDER in os.environ


def running() -> dict[str, int]:
    """Process ids by slot: of all workers, or of this process alone."""
    if not are_several():
        return {own_slot() if _own else "0": os.getpid()}
    found: dict[str, int] = {}
    for path in Path(os.environ[FOLDER]).glob("*.pid"):
        with suppress(OSError, ValueError):
            found[path.stem] = int(path.read_text(encoding="ascii"))
    return found
