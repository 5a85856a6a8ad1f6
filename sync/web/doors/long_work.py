"""How many threads long work may take: half of them, so that notifications, probes and short calls always find one.

Long is what waits for Google (a poll, a connect, a listing, a removal, a leave), reads a whole series (explain) or
sweeps (the schedulers' calls). Sweeps have a share of their own, so that no crowd of users keeps the cron out. What is
one short call of the store, such as a return from Google's consent page, is not counted. Called by `turns` and routes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from sync.web.doors.problems import Problem

# As in gunicorn.conf.py.
THREADS = 16
# The cron and the renewals; a second call of either adds nothing to the first.
FOR_SCHEDULERS = 2
FOR_USERS = THREADS // 2 - FOR_SCHEDULERS
RETRY_AFTER_SECONDS = "5"


class LongWork:
    """Thread-safe; one per process."""

    def __init__(self) -> None:
        self._users = threading.BoundedSemaphore(FOR_USERS)
        self._schedulers = threading.BoundedSemaphore(FOR_SCHEDULERS)

    def register(self, app: Flask) -> None:
        app.extensions["long_work"] = self

    @contextmanager
    def for_user(self) -> Iterator[None]:
        """Raises Problem 503 at once if the users' share is taken."""
        with _one_of(self._users):
            yield

    @contextmanager
    def for_scheduler(self) -> Iterator[None]:
        """Raises Problem 503 at once if the schedulers' share is taken."""
        with _one_of(self._schedulers):
            yield


def long_work() -> LongWork:
    found: LongWork = current_app.extensions["long_work"]
    return found


@contextmanager
def _one_of(share: threading.BoundedSemaphore) -> Iterator[None]:
    if not share.acquire(blocking=False):
        raise Problem(
            503,
            "too_much_at_once",
            "As much long work is under way here as there may be; ask again in a few seconds.",
            {"Retry-After": RETRY_AFTER_SECONDS},
        )
    try:
        yield
    finally:
        share.release()
