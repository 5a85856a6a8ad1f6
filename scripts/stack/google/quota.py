"""Google's quotas: sliding one-minute windows per project, and per user of the project.

Owns the windows on the emulator's clock; refuses with the reason Google gives. Called once per API call, and once per
inner call of a batch.
"""

from __future__ import annotations

from collections import defaultdict, deque

from .clock import Clock
from .faults import throttled
from .switches import Switches

WINDOW_SECONDS = 60.0
PROJECT = ""


class Quota:
    """Counts accepted calls; a refused call uses nothing up."""

    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock = clock
        self._switches = switches
        self._windows: dict[str, deque[float]] = defaultdict(deque)

    def spend(self, user: str) -> None:
        """Count one call of `user`; raises the quota refusal once a window is full."""
        now = self._clock.seconds()
        project, own = self._window(PROJECT, now), self._window(user, now)
        if len(project) >= self._switches.project_quota_per_minute:
            raise self._refusal("rateLimitExceeded")
        if len(own) >= self._switches.user_quota_per_minute:
            raise self._refusal("userRateLimitExceeded")
        project.append(now)
        own.append(now)

    def _window(self, key: str, now: float) -> deque[float]:
        window = self._windows[key]
        while window and window[0] <= now - WINDOW_SECONDS:
            window.popleft()
        return window

    def _refusal(self, reason: str) -> Exception:
        if self._switches.quota_status == "429":
            return throttled(429, "rateLimitExceeded", self._switches.retry_after_seconds, "RESOURCE_EXHAUSTED")
        return throttled(403, reason, self._switches.retry_after_seconds)
