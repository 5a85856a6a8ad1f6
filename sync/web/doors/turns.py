"""One user's turn at a time: a poll, a connect or a listing that somebody asked for. Called by their routes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app

from sync.jobs.services import Services
from sync.web.doors.problems import Problem

RETRY_AFTER_SECONDS = "3"


@contextmanager
def users_turn(user_id: str) -> Iterator[None]:
    """Raises Problem 409 if something else is being done for this user, here or in any other process."""
    services: Services = current_app.extensions["services"]
    with services.leases.turn(user_id) as is_ours:
        if not is_ours:
            raise Problem(
                409,
                "user_busy",
                "Another poll, connect or listing of this user is running; ask again in a few seconds.",
                {"Retry-After": RETRY_AFTER_SECONDS},
            )
        yield
