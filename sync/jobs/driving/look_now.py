"""One calendar that an operator has just made due (`operate`), looked at by this process: no other need be running.
Called by the cli."""

from __future__ import annotations

import time

from sync.jobs.driving.poll_user import WAIT_FOR_LEASE_SECONDS, WAIT_STEP_SECONDS
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import SETTINGS_MOVED, SyncOutcome, sync_claim
from sync.states import SyncStatus


def look_now(services: Services, calendar_id: str) -> SyncOutcome | None:
    """What came of the look. None: another process took the calendar meanwhile; it has looked, or is at it still.
    Raises StoreFailure."""
    deadline = time.monotonic() + WAIT_FOR_LEASE_SECONDS
    while True:
        for claim in services.leases.claim(1, calendar_ids=[calendar_id]):
            outcome = sync_claim(services, claim)
            if outcome.reason != SETTINGS_MOVED and outcome.status is not SyncStatus.LOST:
                return outcome
        card = services.store.operators.calendar(calendar_id)
        is_wanted = card is not None and (card["leased_until"] or card["due_again"])
        if not is_wanted or time.monotonic() > deadline:
            return None
        time.sleep(WAIT_STEP_SECONDS)
