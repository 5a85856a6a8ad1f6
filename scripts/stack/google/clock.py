"""The emulator's own time: the machine's clock plus an offset that tests move forward.

Owns `now` for everything that expires (tokens, channels, sync tokens, quota windows). Push latency and retries run on
real time instead, so that moving the clock never fires a hundred retries at once.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Wall-clock seconds since the epoch, adjustable."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Move time; negative values model a clock that is off."""
        self.offset_seconds += seconds

    def seconds(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.offset_seconds

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)


def rfc3339(moment: datetime) -> str:
    """Google's spelling of `created` and `updated`: milliseconds and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
