"""How much may be asked for: by an address that proves nothing, and by one signed-in user. Counted per process.

The service's own calls and notifications with a valid token are not counted at all. Called by `guard` and `auth`.
"""

from __future__ import annotations

import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from sync.core.accounts.addresses import surroundings

# Requests without a good credential: refused ones, unknown paths, public pages. Secrets here have 128 bits and more, so
# this is not what keeps them from being guessed; it bounds the work and the log lines that a stranger can cause. Far
# above what a person's browser or a misconfigured front end does.
UNPROVEN_PER_MINUTE = 240
# A front end that asks every second stays below; each poll may cost a call to Google.
USER_PER_MINUTE = 120
# Wrong tokens at the dashboard's sign-in. A person mistypes a pasted token twice.
SIGN_INS_PER_MINUTE = 10
# A return from Google's consent page is one request; a browser may repeat it. A state lives for ten minutes.
RETURNS_PER_STATE = 5
# Windows kept at once for single customers. Beyond that, newcomers share the window of their network (/24, /48), and
# beyond as many again that of their provider (/16, /32): one who has many addresses soon meets themselves, and nobody
# far away is locked out with them.
MAX_WINDOWS = 10_000
# However far the addresses lie apart, whoever finds no room in three times that many shares this one.
ELSEWHERE = "elsewhere"


class Limits:
    """Thread-safe; one per process, made after fork (its storage starts threads)."""

    def __init__(self, max_windows: int = MAX_WINDOWS) -> None:
        self._max_windows = max_windows
        self._storage = MemoryStorage()
        self._windows = FixedWindowRateLimiter(self._storage)
        self._unproven = RateLimitItemPerMinute(UNPROVEN_PER_MINUTE, namespace="unproven")
        self._user = RateLimitItemPerMinute(USER_PER_MINUTE, namespace="user")
        self._sign_in = RateLimitItemPerMinute(SIGN_INS_PER_MINUTE, namespace="sign_in")
        self._return = RateLimitItemPerMinute(RETURNS_PER_STATE, multiples=10, namespace="return")

    def count_unproven(self, customer: str) -> None:
        self._windows.hit(self._unproven, self._window(self._unproven, customer))

    def closed_for(self, customer: str) -> int | None:
        """Seconds until requests that prove nothing are heard again; None: they are now."""
        window = self._window(self._unproven, customer)
        return None if self._windows.test(self._unproven, window) else self._seconds_left(self._unproven, window)

    def count_user(self, user_id: str) -> int | None:
        """Seconds until this user is heard again; None: they are now."""
        return None if self._windows.hit(self._user, user_id) else self._seconds_left(self._user, user_id)

    def count_return(self, nonce: str) -> bool:
        """Whether this state has not come back too often."""
        return self._windows.hit(self._return, nonce)

    def count_sign_in(self, customer: str) -> int | None:
        """Seconds until this address' wrong tokens are heard again; None: they are now."""
        window = self._window(self._sign_in, customer)
        return None if self._windows.hit(self._sign_in, window) else self._seconds_left(self._sign_in, window)

    def windows(self) -> int:
        """How many are kept now."""
        return len(self._storage.expirations)

    def _seconds_left(self, item: RateLimitItem, window: str) -> int:
        return max(1, round(self._windows.get_window_stats(item, window).reset_time - time.time()))

    def _window(self, item: RateLimitItem, customer: str) -> str:
        open_windows = self._storage.expirations
        for level, name in enumerate(surroundings(customer), start=1):
            if len(open_windows) < level * self._max_windows or item.key_for(name) in open_windows:
                return name
        return ELSEWHERE
