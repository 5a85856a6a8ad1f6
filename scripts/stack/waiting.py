"""Waits for a condition instead of for a time. Called throughout the stack and its tests."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], object], *, within_seconds: float, what: str) -> None:
    """Return once `condition()` is true; TimeoutError naming `what` when it does not come true in time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within_seconds:g} s in vain for {what}")
        time.sleep(POLL_SECONDS)
