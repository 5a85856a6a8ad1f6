"""What only the operator can mend (a wrong OAuth client, an API that is not enabled), as this process finds it.

Hundreds of calendars end in the same fault: it is logged once as an error, and shown by `/readyz` while it lasts.
Called where a job ends in such a failure.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import structlog

# Longer than a calendar waits between two tries at a lasting fault (an hour, and a quarter more).
FORGOTTEN_AFTER = dt.timedelta(minutes=90)


class OperatorFaults:
    """Thread-safe; one per process."""

    def __init__(self, clock: Callable[[], dt.datetime], log: structlog.stdlib.BoundLogger) -> None:
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._seen_at: dict[str, dt.datetime] = {}

    def note(self, code: str) -> None:
        """Found just now."""
        now = self._clock()
        with self._lock:
            seen_at, self._seen_at[code] = self._seen_at.get(code), now
        if seen_at is None or now - seen_at > FORGOTTEN_AFTER:
            self._log.error("misconfigured", error_code=code, mend=_MENDS.get(code, _OTHERWISE))

    def current(self) -> list[str]:
        """Codes of what was found lately."""
        now = self._clock()
        with self._lock:
            return sorted(code for code, seen_at in self._seen_at.items() if now - seen_at <= FORGOTTEN_AFTER)


_OTHERWISE = "check GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and the Google Cloud project"
_MENDS = {
    "accessNotConfigured": "enable the Google Calendar API in the Google Cloud project",
    "SERVICE_DISABLED": "enable the Google Calendar API in the Google Cloud project",
    "push.webhookUrlNotHttps": "WEBHOOK_BASE_URL must be https",
    "push.webhookUrlUnauthorized": "WEBHOOK_BASE_URL is not accepted by Google: check its domain and certificate",
    "deleted_client": "the OAuth client was deleted: restore it within 30 days",
    "key_rejected": "the bot provider refuses its API key: put a valid one into the environment",
    "no_credit": "the bot provider's account has no credit: its bots wait until it has",
    "too_many_bots": "the bot provider's account has reached its number of concurrent bots: raise it there",
    "zoom_credentials_missing": "the bot provider needs Zoom credentials for this account: add them there",
    "other_oauth_client": "stored grants belong to another GOOGLE_CLIENT_ID: put it back, or have users connect again",
}
