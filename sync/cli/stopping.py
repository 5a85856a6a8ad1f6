"""Ctrl-C and SIGTERM during long work: it ends between two steps, with nothing half done, and can be gone on with."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_HEARD = b"\nStopping after the step under way; once more ends it at once.\n"


@contextmanager
def until_stopped() -> Iterator[Callable[[], bool]]:
    """Within it a signal only says so, to what it gives; the second one ends at once. Raises KeyboardInterrupt at its
    end if there was one."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()
        # Whatever else is being written now: no buffer, no lock.
        os.write(2, _HEARD)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopping.is_set():
        raise KeyboardInterrupt
