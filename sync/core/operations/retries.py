"""When a destination that did not take a message is tried again. Pure. Called by `jobs/operations/tell_alerts`."""

from __future__ import annotations

# What is older tells of a day that is past; its alert, if it still holds, is told again by its reminder.
OLDEST_SECONDS = 86400.0
_PAUSES_SECONDS = (60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)


def next_attempt_seconds(attempt: int, age_seconds: float) -> float | None:
    """After the failed attempt of this number. None: it is given up."""
    pause = _PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS)) - 1]
    return None if age_seconds + pause > OLDEST_SECONDS else pause
