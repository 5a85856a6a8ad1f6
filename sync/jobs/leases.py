"""The leases this process holds, kept by one heartbeat: one call to the store for all of them, every few seconds.

So a lease can be short, and what a killed process held is somebody else's within seconds. A process that cannot reach
the store believes in a lease only as long as the store does. Called by whatever claims; threads start with the first
lease, so that none is lost to a fork.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from sync.clients.store import Store
from sync.errors import StoreFailure
from sync.model import Claim, RollClaim

# A claim whose process was killed is anybody's again after this.
LEASE_SECONDS = 20
# Several beats to a lease: one that is lost costs nothing.
BEAT_SECONDS = 4.0

Room = dict[str, int]


class Leases:
    """Thread-safe; one per process, after fork."""

    def __init__(self, store: Store, worker: str, log: structlog.stdlib.BoundLogger) -> None:
        self._store = store
        self._worker = worker
        self._log = log
        # (calendar, fence) → until when this process may believe in the lease.
        self._held: dict[tuple[str, int], float] = {}
        # Holder → user.
        self._turns: dict[str, str] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def claim(
        self,
        limit: int,
        *,
        calendar_ids: Sequence[str] | None = None,
        even_if_not_due: bool = False,
        room: Room | None = None,
        ahead_seconds: float = 0.0,
        per_user: int | None = None,
    ) -> list[Claim]:
        """Claims due calendars (see `claim_due_calendars`) and keeps their leases. Raises StoreFailure."""
        began = time.monotonic()
        claimed = self._store.claims.claim_due(
            self._worker,
            str(uuid.uuid4()),
            limit=limit,
            lease_seconds=LEASE_SECONDS,
            calendar_ids=calendar_ids,
            even_if_not_due=even_if_not_due,
            room=room,
            ahead_seconds=ahead_seconds,
            per_user=per_user,
        )
        for claim in claimed:
            self._hold((claim.calendar_id, claim.fence), began)
        return claimed

    def keep(self, claim: RollClaim) -> None:
        """Keeps a lease that was taken otherwise, just now."""
        self._hold((claim.calendar_id, claim.fence), time.monotonic())

    def drop(self, claim: Claim | RollClaim) -> None:
        """The claim was ended, or given up."""
        with self._changed:
            self._held.pop((claim.calendar_id, claim.fence), None)

    def is_held(self, claim: Claim | RollClaim) -> bool:
        """Whether the lease is still this process', as far as it can know."""
        with self._changed:
            return self._held.get((claim.calendar_id, claim.fence), 0.0) > time.monotonic()

    @contextmanager
    def turn(self, user_id: str) -> Iterator[bool]:
        """The user's turn, for the block: of what somebody asks for them one thing runs at a time, wherever. Gives
        False if another has it. Raises StoreFailure."""
        holder = str(uuid.uuid4())
        if not self._store.claims.take_turn(user_id, holder, LEASE_SECONDS):
            yield False
            return
        with self._changed:
            self._turns[holder] = user_id
            self._start()
        try:
            yield True
        finally:
            with self._changed:
                self._turns.pop(holder, None)
            try:
                self._store.claims.end_turn(user_id, holder)
            except StoreFailure as unreachable:
                # It lapses by itself.
                self._log.warning("turn_not_ended", error_code=unreachable.code)

    def give_back(self) -> int:
        """At the process' end: what is still worked on is anybody's at once, and its commit here is void; how many.
        What the store does not hear runs out."""
        with self._changed:
            leases, turns = list(self._held), list(self._turns.items())
            self._held.clear()
            self._turns.clear()
        try:
            for calendar_id, fence in leases:
                self._store.claims.release_lease(calendar_id, fence)
            for holder, user_id in turns:
                self._store.claims.end_turn(user_id, holder)
        except StoreFailure as unreachable:
            self._log.warning("leases_not_given_back", error_code=unreachable.code)
        return len(leases) + len(turns)

    def _hold(self, lease: tuple[str, int], began: float) -> None:
        with self._changed:
            self._held[lease] = began + LEASE_SECONDS
            self._start()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _beat(self) -> None:
        while True:
            with self._changed:
                while not self._held and not self._turns:
                    self._changed.wait()
            time.sleep(BEAT_SECONDS)
            with self._changed:
                leases, turns = list(self._held), list(self._turns)
            if not leases and not turns:
                continue
            began = time.monotonic()
            try:
                kept = self._store.claims.keep_leases(leases, LEASE_SECONDS, turns)
            except StoreFailure as unreachable:
                self._log.warning("heartbeat_failed", error_code=unreachable.code, leases=len(leases))
                continue
            except Exception as bug:  # noqa: BLE001 - a heartbeat that ends would end every lease of the process
                self._log.exception("heartbeat_bug", error=type(bug).__name__)
                continue
            with self._changed:
                for lease in leases:
                    if lease in self._held:
                        # Not kept: it is another's, and its work here is void.
                        self._held[lease] = began + LEASE_SECONDS if lease[0] in kept else 0.0
