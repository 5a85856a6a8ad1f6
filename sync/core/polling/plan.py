"""What a claimed calendar gets: a full sync, an incremental one, or nothing. Pure; every answer carries its reason.

Called by `jobs/syncing/sync_calendar` after each claim, and by `jobs/driving/poll_user` before it claims at all.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from sync.core.polling.poll_policy import LOOKS, after_skip, vouched_until
from sync.model import Claim
from sync.states import SyncType

# Between two syncs that notifications ask for. A burst of changes costs one sync at its start and one after it;
# longer than a burst of pushes (2 s), short enough that nobody waits. Other syncs do not make the next notification
# wait.
COALESCE_SECONDS = 2.5
# The plan itself looks though a notification vouches: its silence is odd, or a meeting is about to begin.
DOUBTS = frozenset({"probe", "imminent"})
# Due because an operator said so, in SQL (`operate`): looked at whatever push says, as if a user had forced it.
BY_OPERATOR = "operator"
# Due because there was a time without a channel, or its region's door may be shut: changes in it were announced by
# nobody, whatever came before.
UNANNOUNCED_REASONS = frozenset({"connected", "reconnected", "watch_opened", "region_silent"})


class SyncAction(StrEnum):
    """What a claim gets."""

    FULL = "full"
    INCREMENTAL = "incremental"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """`sync_type` as in the log. `skip_seconds`: until the next look, if skipped."""

    action: SyncAction
    sync_type: SyncType
    reason: str
    skip_seconds: float = 0.0
    is_audit: bool = False


def plan_sync(
    claim: Claim,
    *,
    stale_hours: float,
    asked: bool,
    forced: bool,
    now: dt.datetime,
    generation: int,
    jitter: float,
    ahead_seconds: float = 0.0,
) -> SyncPlan:
    """The documented rule over the facts of the claim.

    `asked`: an operator or the user asked for this poll. `forced`: they asked for it whatever push says.
    `generation`: of the settings in force; a calendar that was listed whole under another one is listed anew.
    `jitter` in [0, 1) spreads the look after a skip.
    """
    by_operator = claim.due_reason == BY_OPERATOR
    why_full = _why_full(claim, generation)
    action = SyncAction.FULL if why_full else SyncAction.INCREMENTAL
    if claim.last_synced_at is None:
        return SyncPlan(SyncAction.FULL, SyncType.INITIAL, "first_sync")
    if claim.is_notified:
        return SyncPlan(action, SyncType.WEBHOOK, why_full or "notified")
    # A missed push since the last notification takes back what that one vouched for.
    owed = (
        claim.consecutive_failures > 0
        or claim.webhook_failures > 0
        or claim.due_reason in UNANNOUNCED_REASONS
        or claim.due_reason in LOOKS
        or _is_doubted(claim, now)
    )
    # Without a live channel nothing would announce a change, so that nothing vouches; and what vouches must do so until
    # somebody looks again.
    until = now + dt.timedelta(seconds=ahead_seconds)
    vouched = vouched_until(claim.last_webhook_received, stale_hours, until) if claim.is_watched else None
    if vouched and not owed and not why_full and not forced and not by_operator:
        seconds = after_skip(vouched - now, stale_hours, jitter)
        sync_type = SyncType.MANUAL if asked else SyncType.INCREMENTAL
        return SyncPlan(SyncAction.SKIP, sync_type, "recent_notification", seconds)
    if asked or by_operator:
        why = BY_OPERATOR if by_operator else "forced" if forced else "asked"
        return SyncPlan(action, SyncType.MANUAL, why_full or why)
    reason = why_full or ("retry" if claim.consecutive_failures else claim.due_reason)
    return SyncPlan(action, SyncType.FULL if why_full else SyncType.INCREMENTAL, reason)


def _is_doubted(claim: Claim, now: dt.datetime) -> bool:
    """The plan's own look has come, though a notification vouches, and none has come since it was planned."""
    if claim.due_reason not in DOUBTS or claim.last_synced_at is None:
        return False
    planned_at = claim.last_synced_at + dt.timedelta(seconds=claim.polling.planned_seconds)
    heard_since = claim.last_webhook_received is not None and claim.last_webhook_received > claim.last_synced_at
    return now >= planned_at and not heard_since


def plan_catch_up(claim: Claim, generation: int) -> SyncPlan:
    """The sync before an audit: after it the calendar and the meetings should be equal."""
    why_full = _why_full(claim, generation)
    action = SyncAction.FULL if why_full else SyncAction.INCREMENTAL
    return SyncPlan(action, SyncType.INCREMENTAL, why_full or "before_audit")


def plan_audit(_claim: Claim, _generation: int) -> SyncPlan:
    """The whole calendar once more."""
    return SyncPlan(SyncAction.FULL, SyncType.FULL, "audit", is_audit=True)


def _why_full(claim: Claim, generation: int) -> str | None:
    if not claim.sync_token:
        return "no_sync_token"
    return "settings_changed" if claim.settings_generation != generation else None
