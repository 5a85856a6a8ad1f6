"""What only the operator can mend (a wrong OAuth client, a database without its migrations), as this process finds it.

Hundreds of calendars end in the same fault: it is logged once as an error with its mend, counted from then on, and
shown by `/readyz` while it lasts. Called where a job ends in such a failure.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from sync.core.operations.mends import mend_of
from sync.errors import StoreMisconfigured, SyncError
from sync.telemetry.metrics import misconfigured

# Longer than a calendar waits between two tries at a lasting fault (an hour, and a quarter more).
FORGOTTEN_AFTER = dt.timedelta(minutes=90)


class OperatorFaults:
    """Thread-safe; one per process."""

    def __init__(self, clock: Callable[[], dt.datetime], log: structlog.stdlib.BoundLogger) -> None:
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._seen_at: dict[str, dt.datetime] = {}

    def note(self, code: str, detail: str = "") -> None:
        """Found just now."""
        now = self._clock()
        misconfigured(code)
        with self._lock:
            seen_at, self._seen_at[code] = self._seen_at.get(code), now
        if seen_at is None or now - seen_at > FORGOTTEN_AFTER:
            words = {"detail": detail} if detail else {}
            self._log.error("misconfigured", error_code=code, mend=mend_of(code), **words)

    def tell(self, event: str, failure: SyncError, **words: Any) -> None:
        """A job's failure as a line, unless it is a fault of the set-up that `note` has told."""
        if not isinstance(failure, StoreMisconfigured):
            detail = {"detail": failure.detail} if failure.detail else {}
            self._log.warning(event, error_code=failure.code, **detail, **words)

    def forget(self, codes: Iterable[str]) -> None:
        """These are mended."""
        with self._lock:
            for code in codes:
                self._seen_at.pop(code, None)

    def current(self) -> list[str]:
        """Codes of what was found lately."""
        now = self._clock()
        with self._lock:
            return sorted(code for code, seen_at in self._seen_at.items() if now - seen_at <= FORGOTTEN_AFTER)
