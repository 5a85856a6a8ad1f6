"""One sync's circumstances: its claim and plan, its lease, its figures. Made by `sync_calendar`, passed through its
steps."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.core.meetings.translate import event_from_google
from sync.core.polling.plan import SyncAction, SyncPlan
from sync.core.polling.purse import Lane
from sync.errors import LeaseLost, QuotaWait, SettingsMoved, Stopping, SyncError
from sync.jobs.access_tokens import UserAccess
from sync.jobs.quota_in_force import lane_of
from sync.jobs.services import Services
from sync.model import Claim, Event, InForce
from sync.states import SyncType

# A sync of more pages, or parts to write, than this is a long one.
LONG_PAGES = 3
# Then a listing that waits for the quota again and again is given back. Google's own quota gives 300 pages a minute.
LONGEST_PAUSED_SECONDS = 1800.0


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
        self.access = self.services.tokens.of(self.claim.user_id, self.claim.tokens, self._lane(), self._wait_for_quota)

    @property
    def duration_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def between_pages(self) -> None:
        """Raises Stopping or LeaseLost. `on_long` is called once it has turned out to be a long sync."""
        self.still_goes_on()
        self.pages += 1
        if self.pages == LONG_PAGES:
            self.on_long()

    def still_goes_on(self) -> None:
        """Raises Stopping or LeaseLost."""
        if self.should_stop():
            raise Stopping("stopping")
        if not self.services.leases.is_held(self.claim):
            raise LeaseLost("lease_lost")

    def _lane(self) -> Lane:
        if self.plan.is_audit:
            return Lane.AUDIT
        lane = Lane.FIRST if self.plan.action is SyncAction.FULL else lane_of(self.claim)
        # Somebody who asked looks at it now.
        return Lane.NOTIFIED if self.plan.sync_type is SyncType.MANUAL and lane is not Lane.FIRST else lane

    def _wait_for_quota(self, wait: QuotaWait) -> None:
        """A listing that was begun goes on with what the quota gives, or one that is longer than a minute's would never
        come to its end. It keeps no place from others."""
        self.on_long()
        if time.monotonic() + (wait.retry_after_seconds or 0.0) > self.started + LONGEST_PAUSED_SECONDS:
            raise wait
        while (left := self.services.quota.wait(self.access.lane, self.claim.user_id)) > 0:
            self.still_goes_on()
            time.sleep(min(left, 0.5))

    def why_refused(self) -> SyncError:
        """Why the store takes nothing more of this sync. Raises StoreFailure."""
        if self.services.in_force.refreshed().generation != self.in_force.generation:
            return SettingsMoved("settings_moved")
        return LeaseLost("fence_moved_on")

    def mirrored(self, event_ids: set[str]) -> list[Event]:
        """The families of some ids, whole, as the calendar's mirror has them. Raises StoreFailure."""
        found = self.services.store.commits.read_families(self.claim.calendar_id, (), event_ids)
        return [event_from_google(details) for details in found.details]
