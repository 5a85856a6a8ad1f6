"""One sync of one claimed calendar: plan, fetch, derive, commit; every ending is recorded.

Holds the lease it was given: asks for more time between pages, stops when it is lost or when the process is to stop.
This is the jobs' boundary for broad exceptions: whatever breaks, the claim is ended with a reason. Called by the
sweep, the user's poll and the in-process executor.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from sync.clients.store import Committed, Staged
from sync.core.connection_loss import CALENDAR_BACK, CALENDAR_LOST
from sync.core.failure_policy import react_to_sync_failure
from sync.core.parts import delta_part, full_parts, horizon_at
from sync.core.plan import COALESCE_SECONDS, SyncPlan, plan_sync
from sync.core.poll_policy import next_poll
from sync.core.privacy import sync_format
from sync.core.push_health import judge_push
from sync.core.translate import event_from_google
from sync.errors import CalendarLost, LeaseLost, ReconnectNeeded, Stopping, StoreFailure, SyncError
from sync.jobs.access_tokens import UserAccess
from sync.jobs.fetch_changes import Keep, Listing, fetch_changes
from sync.jobs.losing_access import record_loss
from sync.jobs.services import LEASE_SECONDS, Services
from sync.model import Claim, Window


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What came of a claim. `status`: completed | skipped | failed | released | lost.

    `again_in_seconds`: set when one more sync is owed: a notification came meanwhile, or this one failed.
    """

    claim: Claim
    status: str
    sync_type: str
    reason: str
    processed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    error_code: str | None = None
    again_in_seconds: float | None = None


@dataclass(slots=True)
class _Run:
    """One sync's circumstances and running figures."""

    services: Services
    claim: Claim
    plan: SyncPlan
    now: dt.datetime
    should_stop: Callable[[], bool]
    sync_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)
    lease_until: float = field(default_factory=lambda: time.monotonic() + LEASE_SECONDS)
    access: UserAccess = field(init=False)

    def __post_init__(self) -> None:
        self.access = self.services.tokens.of(self.claim.user_id, self.claim.tokens)

    @property
    def duration_ms(self) -> int:
        return round((time.monotonic() - self.started) * 1000)

    def between_pages(self) -> None:
        """Raises Stopping or LeaseLost; keeps the lease when half of it is used."""
        if self.should_stop():
            raise Stopping("stopping")
        if time.monotonic() > self.lease_until - LEASE_SECONDS / 2:
            if not self.services.store.extend_lease(self.claim, LEASE_SECONDS):
                raise LeaseLost("lease_lost")
            self.lease_until = time.monotonic() + LEASE_SECONDS


def sync_claim(
    services: Services,
    claim: Claim,
    *,
    asked: bool = False,
    forced: bool = False,
    plan: SyncPlan | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SyncOutcome:
    """Syncs a claimed calendar and ends the claim, by `plan` if the caller has one. Never raises for what can go wrong
    with a calendar."""
    now = services.clock()
    plan = plan or plan_sync(
        claim,
        stale_hours=services.settings.poll_stale_hours,
        asked=asked,
        forced=forced,
        now=now,
        expected_format=sync_format(hide_private=services.settings.hide_private_events),
    )
    run = _Run(services, claim, plan, now, should_stop)
    try:
        outcome = _skip(run) if plan.action == "skip" else _sync(run)
    except LeaseLost:
        outcome = SyncOutcome(claim, "lost", plan.sync_type, "lease_lost")
    except Stopping:
        _give_back(run)
        outcome = SyncOutcome(claim, "released", plan.sync_type, "stopping")
    except SyncError as failure:
        outcome = _record_failure(run, failure)
    except Exception as bug:
        services.log.exception("sync_bug", calendar_id=claim.calendar_id, error=type(bug).__name__)
        outcome = _record_failure(run, SyncError("internal_error", type(bug).__name__))
    _log(run, outcome)
    return outcome


def _skip(run: _Run) -> SyncOutcome:
    plan = run.plan
    run.services.store.end_claim(
        run.claim,
        status="skipped",
        sync_type=plan.sync_type,
        reason=plan.reason,
        next_seconds=plan.skip_seconds,
        duration_ms=run.duration_ms,
    )
    return SyncOutcome(run.claim, "skipped", plan.sync_type, plan.reason)


def _sync(run: _Run) -> SyncOutcome:
    services, claim, settings = run.services, run.claim, run.services.settings
    horizon = horizon_at(run.now, settings.horizon_past_days, settings.horizon_future_days)
    listing = fetch_changes(
        services.calendar,
        run.access,
        claim.google_calendar_id,
        sync_token=claim.sync_token if run.plan.action == "incremental" else None,
        known_zone=claim.time_zone,
        keep=Keep(horizon.start, settings.hide_private_events),
        between_pages=run.between_pages,
    )
    committed = _commit_full(run, listing, horizon) if listing.is_full else _commit_delta(run, listing, horizon)
    if not committed.committed:
        raise LeaseLost("fence_moved_on")
    return SyncOutcome(
        claim,
        "completed",
        _sync_type(run.plan, listing),
        listing.why_full or run.plan.reason,
        processed=listing.items,
        created=committed.created,
        updated=committed.updated,
        deleted=committed.deleted,
        again_in_seconds=committed.due_in_seconds if committed.notified else None,
    )


def _commit_delta(run: _Run, listing: Listing, horizon: Window) -> Committed:
    delta = list(listing.events.values())
    stored, earliest = [], None
    if delta:
        details, earliest = run.services.store.read_families(
            run.claim.calendar_id,
            {event.base_id for event in delta},
            {event.id for event in delta if not event.is_live},
        )
        stored = [event_from_google(item) for item in details]
    came_to = delta_part(stored, delta, horizon, earliest, listing.time_zone)
    return run.services.store.commit_sync(run.claim, came_to.part, came_to.covered_from, _facts(run, listing, horizon))


def _commit_full(run: _Run, listing: Listing, horizon: Window) -> Committed:
    """All parts but the last are staged: idempotent, under the fence; the last one goes with the commit."""
    store, staged = run.services.store, Staged(0, 0, 0, 0)
    parts = full_parts(listing.events.values(), horizon, listing.time_zone)
    part, compared = next(parts), 0
    for following in parts:
        run.between_pages()
        written = store.stage_sync(run.claim, run.sync_id, part, horizon.start, LEASE_SECONDS)
        if written is None:
            raise LeaseLost("fence_moved_on")
        staged = staged.plus(written)
        compared += len(part.derived.meetings)
        part = following
    facts = {**_facts(run, listing, horizon), "staged": asdict(staged)}
    if run.plan.is_audit:
        facts["audited"] = compared + len(part.derived.meetings)
    return store.commit_sync(run.claim, part, horizon.start, facts)


def _facts(run: _Run, listing: Listing, horizon: Window) -> dict[str, object]:
    claim, settings = run.claim, run.services.settings
    push = judge_push(
        [event.updated_at for event in listing.events.values()],
        was_notified=claim.is_notified,
        is_full=listing.is_full,
        has_live_channel=claim.has_live_channel,
        missed_before=claim.webhook_failures,
        now=run.now,
    )
    # A notification ended the row of missed pushes when it was recorded; here it only grows.
    missed = claim.webhook_failures + 1 if push.missed_push else claim.webhook_failures
    poll = next_poll(settings.poll_stale_hours, missed, run.services.jitter())
    return {
        "sync_id": run.sync_id,
        "sync_type": _sync_type(run.plan, listing),
        "reason": listing.why_full or run.plan.reason,
        "is_full": listing.is_full,
        "sync_token": listing.sync_token,
        "sync_format": sync_format(hide_private=settings.hide_private_events),
        "time_zone": listing.time_zone,
        "notifications_read": claim.notifications_seen,
        "horizon_until": horizon.end.isoformat(),
        "next_poll_seconds": poll.seconds,
        "next_reason": poll.reason,
        "calendar_back_message": CALENDAR_BACK,
        "coalesce_seconds": COALESCE_SECONDS if claim.is_notified else 0.0,
        "missed_push": push.missed_push,
        "reopen_watch": push.reopen_watch,
        "events_processed": listing.items,
        "google_calls": run.access.requests,
        "duration_ms": run.duration_ms,
    }


def _sync_type(plan: SyncPlan, listing: Listing) -> str:
    """A poll that had to list everything is logged as full; who asked for a sync stays who asked."""
    return "full" if listing.is_full and plan.sync_type == "incremental" else plan.sync_type


def _give_back(run: _Run) -> None:
    try:
        run.services.store.release_calendar(run.claim)
    except StoreFailure as unreachable:
        run.services.log.warning("claim_not_released", calendar_id=run.claim.calendar_id, error=unreachable.code)


def _record_failure(run: _Run, failure: SyncError) -> SyncOutcome:
    services, claim = run.services, run.claim
    reaction = react_to_sync_failure(failure, claim.consecutive_failures, services.jitter())
    try:
        if isinstance(failure, ReconnectNeeded):
            record_loss(services, claim.user_id, claim.tokens, failure)
        services.store.end_claim(
            claim,
            status="failed",
            sync_type=run.plan.sync_type,
            reason=run.plan.reason,
            next_seconds=reaction.retry_seconds,
            error_code=failure.code,
            error_message=str(failure),
            google_calls=run.access.requests,
            duration_ms=run.duration_ms,
            lost_message=CALENDAR_LOST if isinstance(failure, CalendarLost) else None,
        )
    except StoreFailure as unreachable:
        # Nothing was written, so nothing is lost: the lease runs out and the next claim tries again.
        services.log.warning("failure_not_recorded", calendar_id=claim.calendar_id, error=unreachable.code)
    return SyncOutcome(
        claim,
        "failed",
        run.plan.sync_type,
        run.plan.reason,
        error_code=failure.code,
        again_in_seconds=None if reaction.lose_connection else reaction.retry_seconds,
    )


def _log(run: _Run, outcome: SyncOutcome) -> None:
    emit = run.services.log.warning if outcome.status == "failed" else run.services.log.info
    emit(
        "sync",
        calendar_id=run.claim.calendar_id,
        fence=run.claim.fence,
        sync_id=run.sync_id,
        status=outcome.status,
        sync_type=outcome.sync_type,
        reason=outcome.reason,
        error_code=outcome.error_code,
        processed=outcome.processed,
        created=outcome.created,
        updated=outcome.updated,
        deleted=outcome.deleted,
        google_calls=run.access.requests,
        duration_ms=run.duration_ms,
    )
