"""What a listing named, held until its last page: in memory while it is small, staged in the store beyond that.

So the memory of a sync is bounded, whatever Google lists. A staged item lies under the claim's fence; what a dead
worker left there is nobody's. Called by `fetch_changes`, which fills it, and by `commit_changes`, which takes it family
by family.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice

from sync.clients.store import StagedItems
from sync.core.meetings.families import by_family
from sync.core.meetings.translate import event_from_trimmed
from sync.errors import LeaseLost
from sync.jobs.leases import LEASE_SECONDS
from sync.jobs.services import Services
from sync.model import Claim, Event

# Items held in memory: two of Google's pages. And items handed on at a time, in whole families.
HELD_ITEMS = 5000
ITEMS_AT_ONCE = 500


class ChangeBuffer:
    """The latest version of each item that was listed."""

    def __init__(self, services: Services, claim: Claim) -> None:
        self._services = services
        self._claim = claim
        self._held: dict[str, Event] = {}
        self._is_staging = False

    def clear(self) -> None:
        """A listing begins anew."""
        self._held.clear()
        self._is_staging = False

    def add(self, events: Sequence[Event]) -> None:
        """Takes items in the order listed. Raises LeaseLost if they had to be staged and the fence moved on."""
        for event in events:
            self._held[event.id] = event
        if len(self._held) > (ITEMS_AT_ONCE if self._is_staging else HELD_ITEMS):
            self._stage()

    def drop(self, event: Event) -> None:
        """Takes an item that cannot matter: only an earlier version of it, listed before, must go."""
        if self._is_staging:
            self._held[event.id] = event
        else:
            self._held.pop(event.id, None)

    def is_small(self) -> bool:
        """Whether one take has all of it."""
        return not self._is_staging and len(self._held) <= ITEMS_AT_ONCE

    def families(self) -> Iterator[list[Event]]:
        """All items, in lots of whole families; one lot is as large as its largest family or about ITEMS_AT_ONCE.
        Raises LeaseLost as `add`."""
        if self._is_staging:
            self._stage()
            yield from self._staged()
            return
        lot: list[Event] = []
        for _, members in sorted(by_family(self._held.values()).items()):
            if lot and len(lot) + len(members) > ITEMS_AT_ONCE:
                yield lot
                lot = []
            lot.extend(members)
        if lot:
            yield lot

    def _stage(self) -> None:
        events = iter(self._held.values())
        while lot := list(islice(events, ITEMS_AT_ONCE)):
            items = [(event.id, event.base_id, event.details) for event in lot]
            if not self._services.store.commits.stage_items(self._claim, items, not self._is_staging, LEASE_SECONDS):
                raise LeaseLost("fence_moved_on")
            self._is_staging = True
        self._held.clear()

    def _staged(self) -> Iterator[list[Event]]:
        """The next lot is read while one is worked on."""
        with ThreadPoolExecutor(1, thread_name_prefix="read") as beside:

            def read(after: str) -> Future[StagedItems]:
                items = self._services.store.commits.read_items
                return beside.submit(copy_context().run, items, self._claim, after, ITEMS_AT_ONCE)

            coming: Future[StagedItems] | None = read("")
            while coming:
                staged = coming.result()
                coming = None if staged.last is None else read(staged.last)
                if staged.details:
                    yield [event_from_trimmed(item) for item in staged.details]
