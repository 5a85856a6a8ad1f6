"""A user leaves: nothing more is done for them, their channels are stopped, their grant is given back, their tokens go.

In this order, so that no step needs what an earlier one took away. What Google does not do now is not waited for: no
token stays because of it. A process that dies in between leaves a mark, and `finish_disconnects` goes on from there.
Called by the web, the duties and `user_data`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sync.clients.store import Leaving
from sync.errors import RetryLater, StoreFailure, SyncError
from sync.jobs.services import Services
from sync.jobs.watching.renew_watches import stop_channel

# For stopping channels one after the other; those not reached lapse by themselves within a week, and do no work.
STOP_BUDGET_SECONDS = 20.0
# A revocation is repeated once for a passing fault: Google takes any number of them.
REVOKE_ATTEMPTS = 2
# Longer than a disconnect takes with all its time-outs: whoever is found after it has nobody at work.
UNFINISHED_AFTER_SECONDS = 300
FINISHED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Disconnected:
    """`calendars` that were watched; `stopped` and `left` channels; `revoked`: Google took the grant back (None: there
    was none), else `revoke_error`."""

    calendars: int
    stopped: int
    left: int
    revoked: bool | None
    revoke_error: str | None = None


def disconnect(services: Services, user_id: str, meetings: str) -> Disconnected:
    """`meetings`: "keep" (what is not over yet is cancelled) or "delete". Never raises for Google. Raises
    StoreFailure: then it may be repeated, and goes on where it was."""
    leaving = services.store.accounts.begin_disconnect(user_id, meetings)
    stopped = _stop_channels(services, leaving)
    revoked, error = _revoke(services, user_id, leaving)
    services.store.accounts.finish_disconnect(user_id)
    services.tokens.forget(user_id)
    services.calendar_lists.forget(user_id)
    services.log.info("disconnected", user_id=user_id, revoked=revoked, error_code=error, channels_stopped=stopped)
    return Disconnected(leaving.calendars, stopped, len(leaving.channels) - stopped, revoked, error)


def finish_disconnects(services: Services) -> int:
    """Ends the disconnects whose process died; how many."""
    users = services.store.accounts.unfinished_disconnects(UNFINISHED_AFTER_SECONDS, FINISHED_AT_ONCE)
    for user_id in users:
        disconnect(services, user_id, "keep")
    return len(users)


def _stop_channels(services: Services, leaving: Leaving) -> int:
    if not leaving.tokens.refresh:
        return 0
    deadline = time.monotonic() + STOP_BUDGET_SECONDS
    stopped = 0
    for channel in leaving.channels:
        if time.monotonic() > deadline:
            break
        try:
            stopped += stop_channel(services, channel)
        except StoreFailure as unreachable:
            services.log.warning("channels_not_stopped", error_code=unreachable.code)
    return stopped


def _revoke(services: Services, user_id: str, leaving: Leaving) -> tuple[bool | None, str | None]:
    kind, sealed = ("refresh", leaving.tokens.refresh) if leaving.tokens.refresh else ("access", leaving.tokens.access)
    if not sealed:
        return None, None
    error: SyncError | None = None
    for _ in range(REVOKE_ATTEMPTS):
        try:
            services.consent.revoke(services.vault.open(user_id, kind, sealed))
        except RetryLater as passing:
            error = passing
        except SyncError as failure:
            error = failure
            break
        else:
            return True, None
    services.log.warning("grant_not_revoked", user_id=user_id, error_code=error.code if error else None)
    return False, error.code if error else None
