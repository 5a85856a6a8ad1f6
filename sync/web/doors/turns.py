"""One user's turn at a time: a poll, a connect, a listing, a removal or a leave that somebody asked for. Called by
their routes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app

from sync.jobs.services import Services
from sync.web.doors.long_work import long_work
from sync.web.doors.problems import Problem

RETRY_AFTER_SECONDS = "3"


@contextmanager
def users_turn(user_id: str) -> Iterator[None]:
    """Raises Problem 409 if something else is being done for this user, here or in any other process; 503 if this
    process does too much for all users together."""
    services: Services = current_app.extensions["services"]
    with services.leases.turn(user_id) as is_ours:
        if not is_ours:
            raise Problem(
                409,
                "user_busy",
                "Another poll, connect, listing, removal or leave of this user is running; ask again in a few seconds.",
                {"Retry-After": RETRY_AFTER_SECONDS},
            )
        # The turn first: who waits for their own other call takes no share from others.
        with long_work().for_user():
            yield
