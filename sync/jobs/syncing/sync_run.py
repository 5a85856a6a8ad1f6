"""One sync's circumstances: its claim and plan, its lease, its figures. Made by `sync_calendar`, passed through its
steps."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.core.meetings.translate import event_from_google
from sync.core.polling.plan import SyncPlan
from sync.errors import LeaseLost, SettingsMoved, Stopping, SyncError
from sync.jobs.access_tokens import UserAccess
from sync.jobs.services import Services
from sync.model import Claim, Event, InForce

# A sync of more pages, or parts to write, than this is a long one.
LONG_PAGES = 3


@dataclass(slots=True)
class SyncRun:
    """One sync's circumstances and running figures."""

    services: Services
    in_force: InForce
    claim: Claim
    plan: SyncPlan
    now: dt.datetime
    should_stop: Callable[[], bool]
    on_long: Callable[[], None] = lambda: None
    pages: int = 0
    sync_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)
    access: UserAccess = field(init=False)

    def __post_init__(self) -> None:
        self.access = self.services.tokens.of(self.claim.user_id, self.claim.tokens)

    @property
    def duration_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def between_pages(self) -> None:
        """Raises Stopping or LeaseLost. `on_long` is called once it has turned out to be a long sync."""
        if self.should_stop():
            raise Stopping("stopping")
        if not self.services.leases.is_held(self.claim):
            raise LeaseLost("lease_lost")
        self.pages += 1
        if self.pages == LONG_PAGES:
            self.on_long()

    def why_refused(self) -> SyncError:
        """Why the store takes nothing more of this sync. Raises StoreFailure."""
        if self.services.in_force.refreshed().generation != self.in_force.generation:
            return SettingsMoved("settings_moved")
        return LeaseLost("fence_moved_on")

    def mirrored(self, event_ids: set[str]) -> list[Event]:
        """The families of some ids, whole, as the calendar's mirror has them. Raises StoreFailure."""
        found = self.services.store.commits.read_families(self.claim.calendar_id, (), event_ids)
        return [event_from_google(details) for details in found.details]
