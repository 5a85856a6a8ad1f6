"""What a claimed calendar gets: a full sync, an incremental one, or nothing. Pure; every answer carries its reason.

Called by `jobs/sync_calendar` after each claim, and by `jobs/poll_user` before it claims at all.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sync.core.poll_policy import vouched_until
from sync.core.translate import SYNC_FORMAT
from sync.model import Claim

# Between two syncs that notifications ask for. A burst of changes costs one sync at its start and one after it;
# longer than a burst of pushes (2 s), short enough that nobody waits. Other syncs do not make the next notification
# wait.
COALESCE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """`action`: full | incremental | skip. `sync_type` as in the log. `skip_seconds`: until the next look, if
    skipped."""

    action: str
    sync_type: str
    reason: str
    skip_seconds: float = 0.0


def plan_sync(claim: Claim, *, stale_hours: float, asked: bool, forced: bool, now: dt.datetime) -> SyncPlan:
    """The documented rule over the facts of the claim.

    `asked`: an operator or the user asked for this poll. `forced`: he asked for it whatever push says.
    """
    action, why_full = ("full", _why_full(claim)) if _why_full(claim) else ("incremental", None)
    if claim.last_synced_at is None:
        return SyncPlan("full", "initial", "first_sync")
    if claim.is_notified:
        return SyncPlan(action, "webhook", why_full or "notified")
    owed = claim.consecutive_failures > 0 or why_full
    vouched = vouched_until(claim.last_webhook_received, stale_hours, now)
    if vouched and not owed and not forced:
        seconds = (vouched - now).total_seconds()
        return SyncPlan("skip", "manual" if asked else "incremental", "recent_notification", seconds)
    if asked:
        return SyncPlan(action, "manual", why_full or ("forced" if forced else "asked"))
    reason = why_full or ("retry" if claim.consecutive_failures else claim.due_reason)
    return SyncPlan(action, action, reason)


def _why_full(claim: Claim) -> str | None:
    if not claim.sync_token:
        return "no_sync_token"
    return "sync_format_changed" if claim.sync_format != SYNC_FORMAT else None
