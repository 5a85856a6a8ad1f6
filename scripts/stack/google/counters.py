"""What was asked of the emulator: counts by kind and calendar, concurrency of listings, and a bounded log of requests.

Owns the evidence tests assert on. Refuses secrets: tokens of any kind never enter the log.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .clock import Clock, rfc3339
from .faults import Call

MAX_LOGGED = 5000
SECRET = ("syncToken", "pageToken", "access_token", "oauth_token", "key")


@dataclass
class Entry:
    """A running call; `status` is an HTTP status, or `reset`."""

    status: int | str = 0


class Counters:
    """Thread-safe counts; `running` wraps every call."""

    def __init__(self, clock: Clock) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._listing: Counter[str] = Counter()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the calls now running."""
        with self._lock:
            self._calls: Counter[str] = Counter()
            self._by_calendar: dict[str, Counter[str]] = defaultdict(Counter)
            self._statuses: dict[str, Counter[str]] = defaultdict(Counter)
            self._most_listing: Counter[str] = Counter()
            self._log: deque[dict[str, Any]] = deque(maxlen=MAX_LOGGED)

    @contextmanager
    def running(self, call: Call, parameters: dict[str, Any] | None = None) -> Iterator[Entry]:
        """Count a call while it runs, and log it with the status it ends in."""
        entry = Entry()
        is_listing = call.kind == "events.list" and call.calendar is not None
        with self._lock:
            for kind in [call.kind, *([f"{call.kind}.{call.mode}"] if call.mode else [])]:
                self._calls[kind] += 1
                if call.calendar:
                    self._by_calendar[call.calendar][kind] += 1
            if is_listing:
                calendar = str(call.calendar)
                self._listing[calendar] += 1
                self._most_listing[calendar] = max(self._most_listing[calendar], self._listing[calendar])
        try:
            yield entry
        finally:
            with self._lock:
                if is_listing:
                    self._listing[str(call.calendar)] -= 1
                self._statuses[call.kind][str(entry.status)] += 1
                self._log.append(self._line(call, parameters or {}, entry))

    def _line(self, call: Call, parameters: dict[str, Any], entry: Entry) -> dict[str, Any]:
        shown = {name: "present" if name in SECRET else value for name, value in parameters.items()}
        return {
            "at": rfc3339(self._clock.now()),
            "kind": call.kind,
            "mode": call.mode,
            "calendar": call.calendar,
            "account": call.account,
            "page": call.page,
            "parameters": shown,
            "status": entry.status,
        }

    def snapshot(self) -> dict[str, Any]:
        """All counts as plain data."""
        with self._lock:
            return {
                "calls": dict(self._calls),
                "by_calendar": {calendar: dict(counts) for calendar, counts in self._by_calendar.items()},
                "statuses": {kind: dict(counts) for kind, counts in self._statuses.items()},
                "max_concurrent_lists": dict(self._most_listing),
            }

    def log(self) -> list[dict[str, Any]]:
        """The latest requests, oldest first."""
        with self._lock:
            return list(self._log)
