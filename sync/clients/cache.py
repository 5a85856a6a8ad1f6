"""What a process keeps in memory of what it could ask for again: bounded, with an end for each entry, hits counted.

No cache may make an answer wrong: an entry says what it was true for, and whoever reads it says what is true now
(`is_good`); what is no more is not given. Used by clients and jobs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from cachetools import TLRUCache

from sync.telemetry.metrics import CACHE_EVICTIONS, CACHE_LOOKUPS

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Thread-safe. At most `most`, weighed by `weigh` (each 1 by default): the least recently used goes first.

    `ends`: when an entry ends by `clock`, of its value and the time it is put; `clock` may count in any unit.
    """

    def __init__(
        self,
        name: str,
        most: int,
        *,
        ends: Callable[[V, Any], Any],
        clock: Callable[[], Any] = time.monotonic,
        weigh: Callable[[V], int] = lambda _value: 1,
    ) -> None:
        self._most = most
        self._weigh = weigh
        self._lock = threading.Lock()
        self._kept: _Counted[K, V] = _Counted(
            most, ttu=lambda _key, value, now: ends(value, now), timer=clock, getsizeof=weigh
        )
        self._kept.evicted = CACHE_EVICTIONS.labels(name)
        self._hits, self._misses = CACHE_LOOKUPS.labels(name, "hit"), CACHE_LOOKUPS.labels(name, "miss")

    def get(self, key: K, is_good: Callable[[V], bool] = lambda _value: True) -> V | None:
        """None: there is none, or none that is good."""
        with self._lock:
            found: V | None = self._kept.get(key)
        if found is None or not is_good(found):
            self._misses.inc()
            return None
        self._hits.inc()
        return found

    def put(self, key: K, value: V) -> None:
        with self._lock:
            if self._weigh(value) <= self._most:
                self._kept[key] = value
            else:
                self._kept.pop(key, None)

    def forget(self, key: K) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def __len__(self) -> int:
        with self._lock:
            self._kept.expire()
            return len(self._kept)


class _Counted(TLRUCache[K, V]):
    evicted: Any

    def popitem(self) -> tuple[K, V]:
        # For want of room only.
        self.evicted.inc()
        return super().popitem()
