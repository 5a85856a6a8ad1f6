"""Whether push did its part. Pure. Called at the end of every sync that no notification asked for.

A poll that finds a change which no notification announced, though there had been time to, is a missed push. A poll that
finds nothing is a quiet calendar, not a failure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

# Notifications take seconds; a change younger than this may still be announced.
ANNOUNCED_WITHIN_SECONDS = 120.0
# After so many missed pushes in a row the channel is taken for deaf and another one is opened.
REOPEN_AFTER_MISSED = 3


@dataclass(frozen=True, slots=True)
class PushVerdict:
    missed_push: bool
    reopen_watch: bool


def judge_push(
    changed_at: Iterable[dt.datetime | None],
    *,
    was_notified: bool,
    is_full: bool,
    has_live_channel: bool,
    missed_before: int,
    now: dt.datetime,
) -> PushVerdict:
    """`changed_at`: Google's `updated` of each item a poll found (None for sparse tombstones, which prove nothing).

    A full listing names every event, changed or not, so it proves nothing either.
    """
    if was_notified or is_full or not has_live_channel:
        return PushVerdict(missed_push=False, reopen_watch=False)
    latest_announced = now - dt.timedelta(seconds=ANNOUNCED_WITHIN_SECONDS)
    missed = any(at is not None and at < latest_announced for at in changed_at)
    return PushVerdict(missed, missed and (missed_before + 1) % REOPEN_AFTER_MISSED == 0)
