"""What follows from a failure: when to try again, and who must act. Pure. Called where a job ends in a typed error.

Only a grant that is lost stops a user's syncing. Everything else is tried again, sooner or later, on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.core.polling.backoff import backoff_seconds
from sync.errors import (
    CalendarLost,
    PushUnsupported,
    RequestRejected,
    RetryLater,
    SyncError,
    TokenUnreadable,
    UpstreamDown,
)
from sync.states import Standing

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
# A Retry-After is honoured up to this, the bound within which every calendar is looked at.
LONGEST_ASKED_SECONDS = 6 * _HOUR
# A lost connection pauses the calendar, and then nothing is tried. But a user who reconnected while the old grant was
# being refused is not paused: they must not wait for the old grant's failure.
UNLESS_PAUSED_SECONDS = 5.0
# Two refusals of a refresh token count as two only this far apart: a fault that passes has passed by then.
CONFIRM_SECONDS = 60.0
# The second try comes safely after it.
ASK_AGAIN_SECONDS = 75.0


@dataclass(frozen=True, slots=True)
class Reaction:
    """`retry_seconds` until the next try. `lose_connection`: the user must grant access again."""

    retry_seconds: float
    lose_connection: bool = False


def wait_for_upstream(down: UpstreamDown, jitter: float) -> float:
    """Seconds until work that was not done for an upstream's outage is taken up: soon after the next probe, and not all
    at once. No failure in a row makes it longer."""
    return 1.0 + down.seconds * (1 + jitter / 2)


def react_to_sync_failure(error: SyncError, failures_before: int, jitter: float) -> Reaction:
    """For a sync that ended in `error`, after `failures_before` failures in a row."""
    failures = failures_before + 1
    if isinstance(error, CalendarLost):
        # May be back soon (a sharing mistake undone) or never: from a quarter of an hour to once a day, for ever.
        return Reaction(backoff_seconds(failures, jitter, first_seconds=15 * _MINUTE, most_seconds=_DAY))
    if isinstance(error, RequestRejected | TokenUnreadable):
        # Only a person can mend these; a try an hour finds out when one has.
        return Reaction(backoff_seconds(failures, jitter, first_seconds=5 * _MINUTE, most_seconds=_HOUR))
    return Reaction(
        backoff_seconds(failures, jitter, first_seconds=5.0, most_seconds=30 * _MINUTE, at_least_seconds=_asked(error))
    )


def react_to_refused_grant(standing: Standing, jitter: float) -> Reaction:
    """For a job that ended in a refused grant, of whatever sort, by what that came to."""
    if standing is Standing.SUSPECTED:
        return Reaction(ASK_AGAIN_SECONDS * (1 + jitter / 4))
    if standing is Standing.OTHER_CLIENT:
        return Reaction(5 * _MINUTE * (1 + jitter))
    return Reaction(UNLESS_PAUSED_SECONDS, lose_connection=standing is Standing.CONFIRMED)


def react_to_watch_failure(error: SyncError, failures_before: int, jitter: float) -> Reaction:
    """For a watch that could not be opened. The calendar is polled meanwhile, so nothing here is urgent."""
    if isinstance(error, UpstreamDown):
        return Reaction(wait_for_upstream(error, jitter))
    if isinstance(error, PushUnsupported):
        # A fact about the calendar, not a fault: ask again once a week, in case Google learns.
        return Reaction(7 * _DAY)
    return Reaction(
        backoff_seconds(
            failures_before + 1,
            jitter,
            first_seconds=_MINUTE,
            most_seconds=6 * _HOUR,
            at_least_seconds=_asked(error),
        )
    )


def _asked(error: SyncError) -> float:
    """Seconds that Google asked for."""
    asked = error.retry_after_seconds if isinstance(error, RetryLater) else None
    return min(asked or 0.0, LONGEST_ASKED_SECONDS)
