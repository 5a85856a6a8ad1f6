"""How many syncs of each kind may run side by side in one process, so that nothing long or many keeps somebody waiting.

One thread is always left to notified calendars, one to the others; first syncs take half at most, and a few. A sync
that turns out to be long leaves its place to others and goes on beside them. A suspect, whose last claims were never
ended, runs alone.
"""

from __future__ import annotations

from collections import Counter

# Waits this long for the process to be idle; then it runs beside others, for it must run.
SUSPECT_PATIENCE_SECONDS = 60.0
# Most syncs wait for Google, so that many threads cost little. These work, and hold a listing in memory.
MOST_FIRST = 4
MOST_LONG = 8


class Lanes:
    """Counts what runs. Not thread-safe: its owner holds a lock."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        spare = 1 if threads > 1 else 0
        self._most = {
            "notified": threads - spare,
            "first": min(MOST_FIRST, max(1, threads // 2)),
            "poll": threads - spare,
        }
        self.most_long = min(MOST_LONG, threads)
        self._running: Counter[str] = Counter()
        self._suspects_from: float | None = None

    @property
    def busy(self) -> int:
        """Syncs that run, long ones too."""
        return self._running.total()

    def free(self) -> int:
        """Places left for syncs that are not long."""
        if self._running["suspect"]:
            return 0
        return max(0, self._threads - (self.busy - self._running["long"]))

    def room(self, now: float) -> dict[str, int]:
        """What a claim may take of each lane, at `now` (monotonic seconds)."""
        free = self.free()
        if not free:
            return {}
        others = self._running["first"] + self._running["poll"]
        room = {lane: max(0, min(free, most - self._running[lane])) for lane, most in self._most.items()}
        for lane in ("first", "poll"):
            room[lane] = min(room[lane], max(0, self._most["poll"] - others))
        if self.busy == 0 or self._suspects_from is None:
            self._suspects_from = now + SUSPECT_PATIENCE_SECONDS
        room["suspect"] = int(self.busy == 0 or now >= self._suspects_from)
        return room

    def enter(self, lane: str) -> None:
        self._running[lane] += 1

    def leave(self, lane: str) -> None:
        self._running[lane] -= 1

    def lengthen(self, lane: str) -> str:
        """A sync of the lane turned out to be long; the lane it is in from here on."""
        if lane in ("long", "suspect") or self._running["long"] >= self.most_long:
            return lane
        self._running[lane] -= 1
        self._running["long"] += 1
        return "long"
