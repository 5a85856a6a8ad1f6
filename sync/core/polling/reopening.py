"""When a channel is taken for dead and another is opened. Pure. Called at the end of a sync that found a missed push.

A watch costs calls, a dead channel costs a poll for each change; so the first miss may be enough, and is, unless it is
as likely that this calendar's pushes get lost one by one. New channels that bring no push do not help: each such makes
the next wait longer.
"""

from __future__ import annotations

REOPEN_ABOVE = 0.05
FIRST_PAUSE_SECONDS = 3600.0
LONGEST_PAUSE_SECONDS = 86400.0


def should_reopen(dead_chance: float, reopened_in_vain: int, channel_seconds: float) -> bool:
    """`reopened_in_vain`: channels opened for a miss since the last push. `channel_seconds`: age of the present one."""
    if dead_chance < REOPEN_ABOVE:
        return False
    return reopened_in_vain == 0 or channel_seconds >= reopen_pause_seconds(reopened_in_vain)


def reopen_pause_seconds(reopened_in_vain: int) -> float:
    """Between two channels of a calendar, doubled with each that brought nothing."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(max(reopened_in_vain - 1, 0), 10), LONGEST_PAUSE_SECONDS)
