"""Suspicious requests, counted in memory and stored in batches: an attack costs a call per batch, not per request.

Called by `web/doors/guard` with every refusal; the batches go out through the driver, and at shutdown.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections import Counter
from typing import Protocol

from sync.errors import StoreRejected, StoreUnavailable
from sync.jobs.services import Services

# Seconds from the first refusal to its being stored; all that come meanwhile go with it.
FLUSH_SECONDS = 10.0
# After a batch went out, one more goes an hour later, empty if nothing came: it drops what is too old.
PURGE_SECONDS = 3600.0
# Refusals of one kind within an hour, over all processes, that are no accident any more: a front end with an expired
# session or a scheduler with an old secret (12 to 60 calls an hour) stays below, somebody who tries does not.
ALERT_AT = 100
# Rows of one batch. An attack from more networks is counted under "*".
BATCH_ROWS = 200
# Rows of an hour, over all processes: what is kept stays below 400 000 rows even in a month-long siege.
HOUR_ROWS = 500
KEEP_DAYS = 30
EVERYWHERE = "*"


class Timer(Protocol):
    def run_later(self, key: str, task: _Flush, delay_seconds: float) -> bool:
        """Runs the task once, unless it is queued already; it may answer seconds until it must run again."""


class _Flush(Protocol):
    def __call__(self) -> float | None: ...


class SecurityEvents:
    """Thread-safe; one per process."""

    def __init__(self, services: Services, timer: Timer) -> None:
        self._services = services
        self._timer = timer
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._sending = threading.Lock()
        self._batch: tuple[str, Counter[tuple[str, str, str]]] | None = None

    def note(self, kind: str, network: str) -> None:
        """Counts one. No call, no waiting."""
        hour = self._services.clock().replace(minute=0, second=0, microsecond=0).astimezone(dt.UTC).isoformat()
        with self._lock:
            key = (hour, kind, network)
            if key not in self._counts and len(self._counts) >= BATCH_ROWS:
                key = (hour, kind, EVERYWHERE)
            is_first = not self._counts
            self._counts[key] += 1
        if is_first:
            self._timer.run_later("security_events", self.flush, FLUSH_SECONDS)

    def flush(self) -> float | None:
        """Stores what was counted. What the store did not take is sent again, as the same batch. Answers seconds until
        it wants to run again."""
        with self._sending:
            if self._batch is None:
                with self._lock:
                    self._batch, self._counts = (str(uuid.uuid4()), self._counts), Counter()
            try:
                self._send(*self._batch)
            except StoreUnavailable:
                return FLUSH_SECONDS
            except StoreRejected as refused:
                # Never taken (the migration is missing, say): repeating it would hold up all that follows.
                self._services.log.warning("security_events_lost", error_code=refused.code)
            self._batch = None
        with self._lock:
            return FLUSH_SECONDS if self._counts else PURGE_SECONDS

    def close(self) -> None:
        """At shutdown: one try to store what is left."""
        with self._lock:
            is_owed = bool(self._counts) or self._batch is not None
        if is_owed:
            self.flush()

    def _send(self, batch_id: str, counts: Counter[tuple[str, str, str]]) -> None:
        alerts = self._services.store.security.record(
            batch_id, counts, alert_at=ALERT_AT, hour_rows=HOUR_ROWS, keep_days=KEEP_DAYS
        )
        for alert in alerts:
            self._services.log.error("security_alert", kind=alert.kind, hour=alert.hour, seen=alert.seen)
