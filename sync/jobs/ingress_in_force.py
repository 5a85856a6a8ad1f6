"""How each region's door stands, as this process last learnt it; and what this process has counted towards that.

Read from the store once a minute, reported as often, by a duty; never on the way of a sync or of a watch. Without the
store what was last known holds. Called at every sync's end, and by whoever opens channels.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sync.clients.store import Store
from sync.core.polling.evidence import Evidence
from sync.core.polling.region_choice import RegionHealth, choose_region
from sync.errors import StoreFailure
from sync.states import RegionState

WEBHOOK_PATH = "/functions/v1/google-calendar-webhook"


@dataclass(slots=True)
class DoorCounts:
    """Of one address: syncs that a push asked for, changes announced and missed, looks that found a missed one, and
    looks."""

    pushes: float = 0.0
    announced: float = 0.0
    missed: float = 0.0
    missing: float = 0.0
    looks: float = 0.0

    def add(self, other: DoorCounts) -> None:
        self.pushes += other.pushes
        self.announced += other.announced
        self.missed += other.missed
        self.missing += other.missing
        self.looks += other.looks


class IngressInForce:
    """Thread-safe; one per process. `urls`: WEBHOOK_BASE_URL, by region."""

    def __init__(self, urls: Mapping[str, str], store: Store, clock: Callable[[], dt.datetime]) -> None:
        self.addresses = {name: url + WEBHOOK_PATH for name, url in urls.items()}
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._counts: dict[str, DoorCounts] = {}

    def address_for(self, calendar_id: str) -> str:
        """Where a calendar's next channel is to point to."""
        return self.addresses[choose_region(self._healths(), uuid.UUID(calendar_id).int).name]

    def trusted(self) -> list[str]:
        """The addresses at which channels may stay: all but those of sick regions, if there is another one."""
        down = {health.name for health in self._healths() if health.is_down}
        refuge = len(down) < len(self.addresses)
        return [
            address
            for name, address in self.addresses.items()
            if not (refuge and self._state(name) is RegionState.SICK)
        ]

    def is_down(self, address: str | None) -> bool:
        """Whether nothing can be concluded from the silence of a channel that points there."""
        name = next((name for name, own in self.addresses.items() if own == address), None)
        return name is not None and self._state(name) is not RegionState.HEALTHY

    def may_reopen(self, address: str | None) -> bool:
        """Whether a channel for it would help: not through a door that is shut, if there is no other."""
        return not self.is_down(address) or not all(health.is_down for health in self._healths())

    def refresh(self) -> None:
        """Says what was counted, and learns how the regions stand. Raises StoreFailure; then the last word stands, and
        what was counted is said later."""
        self.report()
        self._rows = {row["name"]: row for row in self._store.regions.read()}

    def count(self, address: str | None, seen: Evidence, *, is_watched: bool) -> None:
        """One sync's share. A change that nobody could have announced counts for nothing."""
        if address is None:
            return
        looked = is_watched and not seen.was_notified
        counts = DoorCounts(
            pushes=float(seen.was_notified),
            announced=seen.announced,
            missed=seen.missed,
            missing=float(seen.missed > 0),
            looks=float(looked),
        )
        with self._lock:
            self._counts.setdefault(address, DoorCounts()).add(counts)

    def report(self) -> None:
        """Says what was counted since the last time. Raises StoreFailure; then it is said again later."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            self._store.regions.report([{"address": address, **asdict(of)} for address, of in counts.items()])
        except StoreFailure:
            with self._lock:
                for address, of in counts.items():
                    self._counts.setdefault(address, DoorCounts()).add(of)
            raise

    def _state(self, name: str) -> RegionState:
        row = self._rows.get(name)
        # One that has another address by now is another door.
        return RegionState(row["state"]) if row and row["address"] == self.addresses[name] else RegionState.HEALTHY

    def _healths(self) -> list[RegionHealth]:
        return [self._health(name) for name in self.addresses]

    def _health(self, name: str) -> RegionHealth:
        row = self._rows.get(name, {})
        is_down = self._state(name) is not RegionState.HEALTHY
        if not row.get("well_since"):
            return RegionHealth(name, is_down)
        well_since = dt.datetime.fromisoformat(row["well_since"])
        return RegionHealth(name, is_down, (self._clock() - well_since).total_seconds(), row["flaps"])
