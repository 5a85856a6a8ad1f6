"""From what a sync listed to its commit: merge, derive, write. Called by `sync_calendar`; rules live in
`core/meetings/parts`."""

from __future__ import annotations

from dataclasses import asdict

from sync.clients.store import Committed, Staged
from sync.core.accounts.connection_loss import CALENDAR_BACK
from sync.core.meetings.parts import delta_part, full_parts
from sync.core.meetings.privacy import sync_format
from sync.core.meetings.translate import event_from_google
from sync.core.polling.plan import COALESCE_SECONDS, SyncPlan
from sync.core.polling.poll_policy import next_poll
from sync.core.polling.push_health import judge_push
from sync.errors import LeaseLost
from sync.jobs.services import LEASE_SECONDS
from sync.jobs.syncing.fetch_changes import Listing
from sync.jobs.syncing.sync_run import SyncRun
from sync.model import Claim, Window

# Where Google gives no sync token, each notification costs a whole listing: not more than one a minute.
TOKENLESS_PAUSE_SECONDS = 60.0


def commit_delta(run: SyncRun, listing: Listing, horizon: Window) -> Committed:
    delta = list(listing.events.values())
    stored, earliest = [], None
    if delta:
        details, earliest = run.services.store.commits.read_families(
            run.claim.calendar_id,
            {event.base_id for event in delta},
            {event.id for event in delta if not event.is_live},
        )
        stored = [event_from_google(item) for item in details]
    came_to = delta_part(stored, delta, horizon, earliest, listing.time_zone)
    return run.services.store.commits.commit(
        run.claim, came_to.part, came_to.covered_from, _facts(run, listing, horizon)
    )


def commit_full(run: SyncRun, listing: Listing, horizon: Window) -> Committed:
    """All parts but the last are staged: idempotent, under the fence; the last one goes with the commit."""
    store, staged = run.services.store, Staged(0, 0, 0, 0)
    parts = full_parts(listing.events.values(), horizon, listing.time_zone)
    part, compared = next(parts), 0
    for following in parts:
        run.between_pages()
        written = store.commits.stage(run.claim, run.sync_id, part, horizon.start, LEASE_SECONDS)
        if written is None:
            raise LeaseLost("fence_moved_on")
        staged = staged.plus(written)
        compared += len(part.derived.meetings)
        part = following
    facts = {**_facts(run, listing, horizon), "staged": asdict(staged)}
    if run.plan.is_audit:
        facts["audited"] = compared + len(part.derived.meetings)
    return store.commits.commit(run.claim, part, horizon.start, facts)


def _facts(run: SyncRun, listing: Listing, horizon: Window) -> dict[str, object]:
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
        "sync_type": logged_type(run.plan, listing),
        "reason": listing.departure or run.plan.reason,
        "is_full": listing.is_full,
        # A delta without a token: the old one brings the same changes again, and what followed them.
        "sync_token": listing.sync_token or (None if listing.is_full else claim.sync_token),
        "sync_format": sync_format(hide_private=settings.hide_private_events),
        "time_zone": listing.time_zone,
        "notifications_read": claim.notifications_seen,
        "horizon_until": horizon.end.isoformat(),
        "next_poll_seconds": poll.seconds,
        "next_reason": poll.reason if listing.sync_token else "no_sync_token",
        "calendar_back_message": CALENDAR_BACK,
        "coalesce_seconds": _pause_seconds(claim, listing),
        "missed_push": push.missed_push,
        "reopen_watch": push.reopen_watch,
        "events_processed": listing.items,
        "google_calls": run.access.requests,
        "duration_ms": run.duration_ms,
    }


def _pause_seconds(claim: Claim, listing: Listing) -> float:
    """Until the next sync, at least."""
    if listing.sync_token is None:
        return TOKENLESS_PAUSE_SECONDS
    return COALESCE_SECONDS if claim.is_notified else 0.0


def logged_type(plan: SyncPlan, listing: Listing) -> str:
    """A poll that had to list everything is logged as full; who asked for a sync stays who asked."""
    return "full" if listing.is_full and plan.sync_type == "incremental" else plan.sync_type
