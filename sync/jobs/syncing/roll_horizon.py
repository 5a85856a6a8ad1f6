"""Moves horizons forward: what enters comes from the mirror, without a call to Google. Called by the cron and the
worker.

Calendars that nothing enters are moved in bulk by one statement; the others are leased like a sync, so that no sync
of the same calendar runs meanwhile. Past occurrences stay as history.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.core.meetings.parts import entering_part, horizon_at
from sync.core.meetings.translate import event_from_google
from sync.errors import LeaseLost, StoreFailure, SyncError
from sync.jobs.services import LEASE_SECONDS, Services
from sync.jobs.syncing.fetch_changes import usable_zone
from sync.jobs.syncing.sync_calendar import sync_claim
from sync.model import RollClaim, SyncPart

# A horizon lags by this much before it is moved: the far end of two months is nobody's hurry, and each calendar
# costs two or three calls to the store per move.
LAG_SECONDS = 6 * 3600.0
CLAIMED_AT_ONCE = 50
QUIET_AT_ONCE = 1000
# Families read and written at a time; with all their occurrences far below a payload's and a statement's limits.
FAMILIES_PER_PART = 200


@dataclass(frozen=True, slots=True)
class Roll:
    """`quiet`: moved in bulk; `rolled`: had something that might enter; `entered`: meetings written; `failed`: tried
    again by a later run."""

    quiet: int = 0
    rolled: int = 0
    entered: int = 0
    failed: int = 0


def roll_horizons(
    services: Services, *, budget_seconds: float, should_stop: Callable[[], bool] = lambda: False
) -> Roll:
    """Moves every horizon that lags, within the budget. Gives back whatever it claimed and did not finish."""
    deadline = time.monotonic() + budget_seconds

    def may_go_on() -> bool:
        return time.monotonic() < deadline and not should_stop()

    if not services.in_force.is_workable:
        return Roll()
    in_force = services.in_force.now()
    until = horizon_at(services.clock(), 0, in_force.meaning.horizon_future_days).end
    quiet = rolled = entered = 0
    moved = QUIET_AT_ONCE
    while moved == QUIET_AT_ONCE and may_go_on():
        moved = services.store.horizon.advance_quiet(until, LAG_SECONDS, QUIET_AT_ONCE)
        quiet += moved
    failed: list[RollClaim] = []
    waiting: list[RollClaim] = []
    claimed = CLAIMED_AT_ONCE
    try:
        while claimed == CLAIMED_AT_ONCE and may_go_on():
            waiting = services.store.horizon.claim_rolling(
                services.worker_name, until, LAG_SECONDS, CLAIMED_AT_ONCE, LEASE_SECONDS
            )
            claimed = len(waiting)
            while waiting and may_go_on():
                claim = waiting.pop(0)
                came_in = _roll_guarded(services, claim, until, in_force.generation, should_stop)
                if came_in is None:
                    failed.append(claim)
                else:
                    rolled, entered = rolled + 1, entered + came_in
    finally:
        # Only now those that failed: given back earlier, the same ones would be claimed again and again in this run.
        for claim in (*failed, *waiting):
            _give_back(services, claim)
    return Roll(quiet, rolled, entered, len(failed))


def _give_back(services: Services, claim: RollClaim) -> None:
    """Ends the lease: syncs of the calendar must not wait for a roll that does not come about."""
    nothing = SyncPart((), claim.horizon_until)
    try:
        generation = services.in_force.now().generation
        services.store.horizon.commit(claim, nothing, claim.horizon_until, True, LEASE_SECONDS, generation)
    except StoreFailure as unreachable:
        services.log.warning("roll_not_given_back", calendar_id=claim.calendar_id, error_code=unreachable.code)


def _roll_guarded(
    services: Services, claim: RollClaim, until: dt.datetime, generation: int, should_stop: Callable[[], bool]
) -> int | None:
    """Meetings that entered; None if it failed (recorded in the log, and tried again by a later run)."""
    try:
        entered = _roll(services, claim, until, generation, should_stop)
    except SyncError as failure:
        services.log.warning("roll_failed", calendar_id=claim.calendar_id, error_code=failure.code)
        return None
    except Exception as bug:
        services.log.exception("roll_bug", calendar_id=claim.calendar_id, error=type(bug).__name__)
        return None
    services.log.info("roll", calendar_id=claim.calendar_id, entered=entered, until=until.isoformat())
    return entered


def _roll(
    services: Services, claim: RollClaim, until: dt.datetime, generation: int, should_stop: Callable[[], bool]
) -> int:
    zone = usable_zone(claim.time_zone)
    entered, after = 0, ""
    while True:
        details, last = services.store.horizon.read_entering(claim, until, after, FAMILIES_PER_PART)
        events = [event_from_google(item) for item in details]
        part = entering_part(events, claim.horizon_until, until, zone)
        committed, came_in, notified = services.store.horizon.commit(
            claim, part, until, last is None, LEASE_SECONDS, generation
        )
        if not committed:
            # Or other settings took force: whatever is done next, the giving back too, is done under them.
            services.in_force.refreshed()
            raise LeaseLost("fence_moved_on")
        entered += came_in
        if last is None:
            break
        after = last
    if notified:
        _sync_now(services, claim, should_stop)
    return entered


def _sync_now(services: Services, claim: RollClaim, should_stop: Callable[[], bool]) -> None:
    """A notification that came while we held the lease was told to wait for its end; we ended it early."""
    for owed in services.store.claims.claim_due(
        services.worker_name, limit=1, lease_seconds=LEASE_SECONDS, calendar_ids=[claim.calendar_id]
    ):
        sync_claim(services, owed, should_stop=should_stop)
