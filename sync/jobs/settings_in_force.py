"""Which meaning a process works under: the one in force in the store, never its own settings' alone.

Asked for by every job that derives or writes rows. It may be outdated by REDECLARE_SECONDS; the store refuses what was
made under another generation, so no row flips between two processes. One per process.
"""

from __future__ import annotations

import threading
import time

import structlog

from sync.clients.store import Store
from sync.core.meetings.translate import SYNC_FORMAT
from sync.errors import StoreFailure
from sync.model import InForce, Meaning
from sync.settings import Settings

# A process says this often what it is configured to mean. A third of the time after which it counts as gone
# (`declare_settings`).
REDECLARE_SECONDS = 30.0


class SettingsInForce:
    """Thread-safe. `worker_name` is this process' own."""

    def __init__(self, settings: Settings, store: Store, worker_name: str, log: structlog.stdlib.BoundLogger) -> None:
        self.configured = Meaning(
            settings.hide_private_events, settings.horizon_past_days, settings.horizon_future_days, SYNC_FORMAT
        )
        self._store = store
        self._worker_name = worker_name
        self._log = log
        self._lock = threading.Lock()
        self._known: InForce | None = None
        self._asked_at = 0.0

    def now(self) -> InForce:
        """What is in force. Raises StoreFailure if that could never be learnt; where only its last word can be had,
        that is good enough: what it leads to is refused if it is wrong."""
        with self._lock:
            if self._known is not None and time.monotonic() < self._asked_at + REDECLARE_SECONDS:
                return self._known
            try:
                return self._declare()
            except StoreFailure:
                if self._known is None:
                    raise
                return self._known

    def refreshed(self) -> InForce:
        """Asked for anew. Raises StoreFailure."""
        with self._lock:
            return self._declare()

    @property
    def is_workable(self) -> bool:
        """Whether this process' code can do what is meant. Not where other code took force: that has taken over."""
        return self.now().meaning.sync_format == SYNC_FORMAT

    def _declare(self) -> InForce:
        found = self._store.settings.declare(self._worker_name, self.configured)
        self._asked_at = time.monotonic()
        if self._known is None or found.generation != self._known.generation:
            self._tell(found)
        self._known = found
        return found

    def _tell(self, found: InForce) -> None:
        if found.meaning == self.configured:
            self._log.info("settings_in_force", generation=found.generation)
            return
        names = [name for name in Meaning.__slots__ if getattr(found.meaning, name) != getattr(self.configured, name)]
        self._log.warning("other_settings_in_force", generation=found.generation, differing=sorted(names))
