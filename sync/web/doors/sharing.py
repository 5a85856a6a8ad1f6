"""How one master's workers share the connections that come: the next is for whoever has the fewest.

All wait for one listening socket, and whoever woke first could take a whole crowd, to be answered by one interpreter
while the others sleep. How many each has stands in memory that all of them see. One with more leaves the next to the
others for a moment, and takes it if they do not. The master's part is called by the hooks in `gunicorn.conf.py`, a
worker's by `patient_worker`.
"""

from __future__ import annotations

import mmap
import time

MOST_WORKERS = 256
# How much more than another has is noticed.
MARGIN = 1
# So long the next is left to the others, so often in a row: more than one that is awake takes.
MOMENT_SECONDS = 0.0003
TIMES = 6
# Takes none: it is not there, leaves, or is full.
_NONE = -1

_counts: memoryview | None = None


def begin() -> None:
    """In the master, before its first worker."""
    global _counts
    _counts = memoryview(mmap.mmap(-1, 4 * MOST_WORKERS)).cast("i")
    for slot in range(MOST_WORKERS):
        _counts[slot] = _NONE


def end_of(slot: str) -> None:
    """In the master, once the worker of the slot is gone."""
    Share(slot).leave()


class Share:
    """A worker's. `slot`: as `processes` gives it; None: it is alone. For one thread."""

    def __init__(self, slot: str | None, moment_seconds: float = MOMENT_SECONDS) -> None:
        self._moment_seconds = moment_seconds
        known = _counts is not None and slot is not None and int(slot) < MOST_WORKERS
        self._slot = int(slot) if known and slot is not None else None
        self._least = _NONE
        self._left = 0

    def hold(self, connections: int) -> None:
        """It takes more, and has so many."""
        if _counts is not None and self._slot is not None:
            _counts[self._slot] = connections

    def leave(self) -> None:
        """It takes no more."""
        self.hold(_NONE)

    def is_anothers(self, own: int) -> bool:
        """Whether the next connection is left to one that has fewer than `own`; a moment passes meanwhile. One that
        takes none within its time is not waited for again until its count has changed."""
        least = self._least_of_others()
        if least is None or own <= least + MARGIN:
            return False
        if least != self._least:
            self._least, self._left = least, 0
        if self._left >= TIMES:
            return False
        self._left += 1
        time.sleep(self._moment_seconds)
        return True

    def _least_of_others(self) -> int | None:
        if _counts is None or self._slot is None:
            return None
        others = [count for slot, count in enumerate(_counts) if count != _NONE and slot != self._slot]
        return min(others, default=None)
