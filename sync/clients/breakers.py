"""The breakers of one process, by upstream: made for its clients, read by whoever begins or reports work."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from sync.clients.circuit import Breaker, Reading, Tripping
from sync.errors import SyncError
from sync.states import CircuitState

GOOGLE_API, TOKEN_ENDPOINT, DATABASE, SIGN_IN_KEYS = "google_api", "token_endpoint", "database", "sign_in_keys"


class Breakers:
    """All of one process. Thread-safe. `clock` counts seconds and never goes back."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._all: dict[str, Breaker] = {}

    def of(
        self,
        upstream: str,
        rule: Tripping,
        *,
        counts: Callable[[Exception], bool],
        down: Callable[[float], SyncError],
        tells_on_trip: bool = False,
        is_nobodys: Callable[[Exception], bool] = lambda _failure: False,
    ) -> Breaker:
        """The upstream's breaker: the same for all clients that ask it."""
        with self._lock:
            if upstream not in self._all:
                self._all[upstream] = Breaker(
                    upstream,
                    rule,
                    counts=counts,
                    down=down,
                    clock=self._clock,
                    chance=self._chance,
                    tells_on_trip=tells_on_trip,
                    is_nobodys=is_nobodys,
                )
            return self._all[upstream]

    def read(self) -> list[Reading]:
        """Each as it is now, for metrics, probes and reports."""
        with self._lock:
            found = list(self._all.values())
        return [breaker.read() for breaker in found]

    def down(self) -> list[str]:
        """Upstreams that do not answer now."""
        return sorted(reading.upstream for reading in self.read() if reading.state is not CircuitState.CLOSED)

    def room(self, upstream: str, wanted: int) -> int:
        """How much work that needs the upstream may be begun: all of it, one piece as the probe, or none."""
        breaker = self._all.get(upstream)
        if breaker is None or breaker.is_closed:
            return wanted
        return 0 if breaker.wait_seconds() else min(wanted, 1)

    def wait_seconds(self, upstream: str) -> float:
        """Until a call may be let through; 0.0: now."""
        breaker = self._all.get(upstream)
        return breaker.wait_seconds() if breaker else 0.0
