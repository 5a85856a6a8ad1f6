"""When a calendar is polled. Pure. Called by the plan (may this poll be skipped?) and by a sync's end (when is the
next?).

The documented rule: a notification within POLL_STALE_HOURS means no poll. Everything else is the plan's (`look_plan`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

# A calendar is due a little before the bound, spread over a fifth of it: Google asks to spread regular polls (±25
# %), and the bound (`stale_bound_seconds` after the last look) is a promise, so the spread only ever goes down.
SPREAD_FROM = 0.75
SPREAD_TO = 0.95
# A notification vouches to the second, so the look after a skipped poll can be spread only behind that: by this share
# of the stale hours (5 minutes of 6 hours) calendars that one event notified together are looked at apart.
SKIP_SPREAD = 1 / 72


# A push may come before the change can be listed. So a notified sync that finds nothing is followed by two more looks
# within a minute; two, since a push may also mean nothing, and each look is a call.
ANOTHER_LOOK, LAST_LOOK = "another_look", "last_look"
ANOTHER_LOOK_SECONDS = 10.0
LAST_LOOK_SECONDS = 40.0
LOOKS = frozenset({ANOTHER_LOOK, LAST_LOOK})


@dataclass(frozen=True, slots=True)
class NextPoll:
    seconds: float
    reason: str


def vouched_until(last_notification_at: dt.datetime | None, stale_hours: float, now: dt.datetime) -> dt.datetime | None:
    """Until when a recent notification makes a poll needless; None if it does not (any more)."""
    if last_notification_at is None:
        return None
    until = last_notification_at + dt.timedelta(hours=stale_hours)
    return until if until > now else None


def after_skip(vouched: dt.timedelta, stale_hours: float, jitter: float) -> float:
    """Seconds to the look after a skipped poll that a notification vouches for so long. `jitter` in [0, 1)."""
    return vouched.total_seconds() + stale_hours * 3600.0 * SKIP_SPREAD * jitter


def another_look(due_reason: str, *, was_notified: bool, found_nothing: bool) -> NextPoll | None:
    """When a sync is to look again though it is complete; None: when `look_plan` says. `due_reason`: why it was due."""
    if not found_nothing:
        return None
    if was_notified:
        return NextPoll(ANOTHER_LOOK_SECONDS, ANOTHER_LOOK)
    return NextPoll(LAST_LOOK_SECONDS, LAST_LOOK) if due_reason == ANOTHER_LOOK else None
