"""One sync of one claimed calendar: plan, fetch, derive, commit; every ending is recorded.

Holds the lease it was given: asks for more time between pages, stops when it is lost or when the process is to stop.
This is the jobs' boundary for broad exceptions: whatever breaks, the claim is ended with a reason. Called by the
sweep, the user's poll and the driver.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sync.core.accounts.connection_loss import CALENDAR_LOST
from sync.core.meetings.parts import history_start, horizon_at
from sync.core.meetings.translate import SYNC_FORMAT
from sync.core.polling.failure_policy import react_to_refused_grant, react_to_sync_failure, wait_for_upstream
from sync.core.polling.plan import SyncAction, SyncPlan, plan_sync
from sync.errors import (
    CalendarLost,
    LeaseLost,
    Misconfigured,
    QuotaWait,
    ReconnectNeeded,
    RetryLater,
    SettingsMoved,
    Stopping,
    StoreFailure,
    SyncError,
    UpstreamDown,
)
from sync.jobs.losing_access import record_refusal
from sync.jobs.services import Services
from sync.jobs.syncing.change_buffer import ChangeBuffer
from sync.jobs.syncing.commit_changes import commit_changes, logged_type, look_again
from sync.jobs.syncing.enter_horizon import enter_horizon
from sync.jobs.syncing.fetch_changes import fetch_changes
from sync.jobs.syncing.listing import Keep
from sync.jobs.syncing.sync_run import SyncRun
from sync.model import Claim, RollClaim
from sync.states import SyncStatus, SyncType
from sync.telemetry import metrics
from sync.telemetry.traces import span

# The reason of a sync that was void because other settings took force meanwhile; claimed again, it comes through.
SETTINGS_MOVED = "settings_moved"


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What came of a claim.

    `again_in_seconds`: set when one more sync is owed: a notification came meanwhile, this one failed, Google answers
    nobody just now, or it found nothing of what a notification announced.
    """

    claim: Claim
    status: SyncStatus
    sync_type: SyncType
    reason: str
    processed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    error_code: str | None = None
    again_in_seconds: float | None = None


def sync_claim(
    services: Services,
    claim: Claim,
    *,
    asked: bool = False,
    forced: bool = False,
    plan: Callable[[Claim, int], SyncPlan] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_long: Callable[[], None] = lambda: None,
    ahead_seconds: float = 0.0,
) -> SyncOutcome:
    """Syncs a claimed calendar and ends the claim, by `plan` (of the generation of settings in force) if the caller has
    one. Never raises for what can go wrong with a calendar."""
    now = services.clock()
    try:
        in_force = services.in_force.now()
    except StoreFailure as unreachable:
        services.log.warning("settings_unknown", calendar_id=claim.calendar_id, error_code=unreachable.code)
        services.leases.drop(claim)
        _give_back(services, claim)
        return SyncOutcome(claim, SyncStatus.LOST, SyncType.INCREMENTAL, "settings_unknown")
    if plan:
        planned = plan(claim, in_force.generation)
    else:
        planned = plan_sync(
            claim,
            stale_hours=services.settings.poll_stale_hours,
            asked=asked,
            forced=forced,
            now=now,
            generation=in_force.generation,
            jitter=services.jitter(),
            ahead_seconds=ahead_seconds,
        )
    with span("sync", calendar_id=claim.calendar_id) as told:
        outcome = _run_guarded(SyncRun(services, in_force, claim, planned, now, should_stop, on_long))
        told.update(type=str(outcome.sync_type), status=str(outcome.status), reason=outcome.reason)
    return outcome


def _run_guarded(run: SyncRun) -> SyncOutcome:
    services, claim, plan = run.services, run.claim, run.plan
    metrics.SYNCS_RUNNING.inc()
    try:
        outcome = _skip(run) if plan.action is SyncAction.SKIP else _sync(run)
    except LeaseLost:
        # If it is another's by now this changes nothing; if we only could not keep it, it need not lapse, nor count as
        # one that ended its process.
        _give_back(services, claim)
        outcome = SyncOutcome(claim, SyncStatus.LOST, plan.sync_type, "lease_lost")
    except Stopping as stopping:
        _give_back(services, claim)
        outcome = SyncOutcome(claim, SyncStatus.RELEASED, plan.sync_type, stopping.code)
    except SettingsMoved:
        _give_back(services, claim)
        outcome = SyncOutcome(claim, SyncStatus.RELEASED, plan.sync_type, SETTINGS_MOVED, again_in_seconds=0.0)
    except QuotaWait as wait:
        outcome = _put_off(run, wait, (wait.retry_after_seconds or 0.0) * (1 + services.jitter() / 4))
    except UpstreamDown as down:
        outcome = _put_off(run, down, wait_for_upstream(down, services.jitter()))
    except SyncError as failure:
        outcome = _record_failure(run, failure)
    except Exception as bug:
        services.log.exception("sync_bug", calendar_id=claim.calendar_id, error=type(bug).__name__)
        outcome = _record_failure(run, SyncError("internal_error", type(bug).__name__))
    finally:
        metrics.SYNCS_RUNNING.dec()
        services.leases.drop(claim)
    _tell(run, outcome)
    return outcome


def _skip(run: SyncRun) -> SyncOutcome:
    plan = run.plan
    run.services.store.claims.end(
        run.claim,
        status=SyncStatus.SKIPPED,
        sync_type=plan.sync_type,
        reason=plan.reason,
        next_seconds=plan.skip_seconds,
        duration_ms=run.duration_ms,
    )
    return SyncOutcome(run.claim, SyncStatus.SKIPPED, plan.sync_type, plan.reason)


def _sync(run: SyncRun) -> SyncOutcome:
    services, claim, meaning = run.services, run.claim, run.in_force.meaning
    if meaning.sync_format != SYNC_FORMAT:
        raise Stopping("other_code_in_force")
    horizon = horizon_at(run.now, meaning.horizon_past_days, meaning.horizon_future_days)
    if run.plan.is_audit:
        # What merely enters the horizon is no drift, nor what a process whose clock is ahead has entered.
        horizon = replace(horizon, end=max(horizon.end, claim.horizon_until or horizon.end))
        rolled = RollClaim(claim.calendar_id, claim.fence, claim.time_zone or "UTC")
        generation = run.in_force.generation
        enter_horizon(services, rolled, horizon.end, generation, ends_claim=False, should_stop=run.should_stop)
    listing = fetch_changes(
        services.calendar,
        run.access,
        claim.google_calendar_id,
        sync_token=claim.sync_token if run.plan.action is SyncAction.INCREMENTAL else None,
        known_zone=claim.time_zone,
        keep=Keep(horizon.start if claim.last_synced_at is None else history_start(horizon), meaning.hide_private),
        changes=ChangeBuffer(services, claim),
        between_pages=run.between_pages,
        mirrored=run.mirrored,
    )
    committed = commit_changes(run, listing, horizon)
    if not committed.committed:
        raise run.why_refused()
    sync_type = logged_type(run.plan, listing)
    metrics.committed(
        sync_type, listing.changed_at, services.clock(), committed.created, committed.updated, committed.deleted
    )
    return SyncOutcome(
        claim,
        SyncStatus.COMPLETED,
        sync_type,
        listing.departure or run.plan.reason,
        processed=listing.items,
        created=committed.created,
        updated=committed.updated,
        deleted=committed.deleted,
        again_in_seconds=committed.due_in_seconds if committed.notified or look_again(claim, listing) else None,
    )


def _put_off(run: SyncRun, wait: RetryLater, seconds: float) -> SyncOutcome:
    """Nothing of the calendar failed: it is due again when there may be a request for it."""
    _give_back(run.services, run.claim, seconds)
    return SyncOutcome(run.claim, SyncStatus.RELEASED, run.plan.sync_type, wait.code, again_in_seconds=seconds)


def _give_back(services: Services, claim: Claim, after_seconds: float = 0.0) -> None:
    try:
        services.store.claims.release(claim, after_seconds)
    except StoreFailure as unreachable:
        services.log.warning("claim_not_released", calendar_id=claim.calendar_id, error=unreachable.code)


def _record_failure(run: SyncRun, failure: SyncError) -> SyncOutcome:
    services, claim = run.services, run.claim
    reaction = react_to_sync_failure(failure, claim.consecutive_failures, services.jitter())
    if isinstance(failure, Misconfigured):
        services.operator_faults.note(failure.code)
    try:
        if isinstance(failure, ReconnectNeeded):
            standing = record_refusal(services, claim.user_id, claim.tokens, failure)
            reaction = react_to_refused_grant(standing, services.jitter())
        services.store.claims.end(
            claim,
            status=SyncStatus.FAILED,
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
        SyncStatus.FAILED,
        run.plan.sync_type,
        run.plan.reason,
        error_code=failure.code,
        again_in_seconds=None if reaction.lose_connection else reaction.retry_seconds,
    )


def _tell(run: SyncRun, outcome: SyncOutcome) -> None:
    metrics.sync_ended(
        outcome.sync_type, outcome.status, outcome.reason, outcome.error_code, seconds=run.duration_ms / 1000
    )
    emit = run.services.log.warning if outcome.status is SyncStatus.FAILED else run.services.log.info
    emit(
        "sync",
        calendar_id=run.claim.calendar_id,
        user_id=run.claim.user_id,
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
