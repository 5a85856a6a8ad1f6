"""The row is the queue: notifications, claims, leases and endings. SQL: syncing, the queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.clients.store import rows
from sync.clients.store.gathering import Gathering
from sync.clients.store.rpc import Rpc
from sync.model import Claim
from sync.states import NotifiedOutcome, PausedReason, SyncStatus, SyncType

# Of one claim, so that a user with many calendars does not fill it.
PER_USER = 20

Notification = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Notified:
    """What a notification came to."""

    outcome: NotifiedOutcome
    calendar_id: str | None
    due_in_seconds: float


@dataclass(frozen=True, slots=True)
class UserCalendar:
    calendar_id: str
    google_calendar_id: str
    paused_reason: PausedReason | None
    backoff_seconds: float


class ClaimCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._notifications = Gathering(self._record_one, self._record_all)

    def record_notification(
        self,
        channel_id: str,
        resource_id: str,
        state: str,
        number: int | None,
        expires_at: dt.datetime | None = None,
    ) -> Notified:
        """Durable when this answers. Those that wait together are recorded in one call."""
        return self._notifications.ask(
            {
                "channel_id": channel_id,
                "resource_id": resource_id,
                "resource_state": state,
                "message_number": number,
                "expires_at": expires_at.isoformat() if expires_at else None,
            }
        )

    def _record_one(self, notification: Notification) -> Notified:
        row = self._rpc.rows("record_notification", **{f"p_{name}": value for name, value in notification.items()})[0]
        return _notified(row)

    def _record_all(self, notifications: Sequence[Notification]) -> list[Notified]:
        """Once: what comes to nothing is repeated by each alone."""
        found = self._rpc.once("record_notifications", {"p_notifications": list(notifications)})
        return [_notified(row) for row in found or ()]

    def claim_due(
        self,
        worker: str,
        claim_id: str,
        *,
        limit: int,
        lease_seconds: int,
        calendar_ids: Sequence[str] | None = None,
        even_if_not_due: bool = False,
        room: Mapping[str, int] | None = None,
        ahead_seconds: float = 0.0,
        per_user: int | None = None,
    ) -> list[Claim]:
        """`claim_id` names the call, so that a repetition gives the same leases. `room`: how many of each lane.
        `per_user`: how many of one user; None: PER_USER."""
        claimed = self._rpc.rows(
            "claim_due_calendars",
            p_worker=worker,
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_calendar_ids=list(calendar_ids) if calendar_ids is not None else None,
            p_even_if_not_due=even_if_not_due,
            p_claim_id=claim_id,
            p_room=dict(room) if room is not None else None,
            p_ahead_seconds=ahead_seconds,
            p_per_user=PER_USER if per_user is None else per_user,
        )
        return [rows.claim(row) for row in claimed]

    def keep_leases(self, leases: Sequence[tuple[str, int]], lease_seconds: int, turns: Sequence[str]) -> set[str]:
        """(calendar id, fence) of each lease → the calendars of which it is still one's own. Once: the next beat
        repeats."""
        kept = self._rpc.once(
            "keep_leases",
            {
                "p_calendar_ids": [calendar_id for calendar_id, _ in leases],
                "p_fences": [fence for _, fence in leases],
                "p_lease_seconds": lease_seconds,
                "p_turns": list(turns),
            },
        )
        return set(kept or ())

    def take_turn(self, user_id: str, holder: str, lease_seconds: int) -> bool:
        return bool(self._rpc.call("take_turn", p_user_id=user_id, p_holder=holder, p_lease_seconds=lease_seconds))

    def end_turn(self, user_id: str, holder: str) -> None:
        self._rpc.call("end_turn", p_user_id=user_id, p_holder=holder)

    def since_job(self, name: str) -> float | None:
        """Seconds since a job was last taken up; None: never."""
        since = self._rpc.call("since_job", p_name=name)
        return None if since is None else float(since)

    def cron_interval(self, name: str, same_run_seconds: float, worker: str) -> float | None:
        """Notes a run, and seconds between the last two; None: there was none before. Calls within
        `same_run_seconds` are one run."""
        interval = self._rpc.call("cron_interval", p_name=name, p_same_run_seconds=same_run_seconds, p_worker=worker)
        return None if interval is None else float(interval)

    def take_job(self, name: str, every_seconds: float, worker: str) -> bool:
        """Whether to do a job that one process does for all."""
        return bool(self._rpc.once("take_job", {"p_name": name, "p_every_seconds": every_seconds, "p_worker": worker}))

    def release(self, claim: Claim, after_seconds: float = 0.0) -> bool:
        """Gives it back untouched; due again after so many seconds."""
        return self.release_lease(claim.calendar_id, claim.fence, after_seconds)

    def release_lease(self, calendar_id: str, fence: int, after_seconds: float = 0.0) -> bool:
        """Likewise of a claim of whatever kind. False: it was ended, or is another's."""
        return bool(
            self._rpc.call("release_calendar", p_calendar_id=calendar_id, p_fence=fence, p_after_seconds=after_seconds)
        )

    def end(
        self,
        claim: Claim,
        *,
        status: SyncStatus,
        sync_type: SyncType,
        reason: str,
        next_seconds: float,
        error_code: str | None = None,
        error_message: str | None = None,
        google_calls: int = 0,
        duration_ms: int | None = None,
        lost_message: str | None = None,
    ) -> bool:
        """Ends a claim without a sync: status skipped or failed."""
        return bool(
            self._rpc.call(
                "end_claim",
                p_calendar_id=claim.calendar_id,
                p_fence=claim.fence,
                p_status=status,
                p_sync_type=sync_type,
                p_reason=reason,
                p_next_seconds=next_seconds,
                p_error_code=error_code,
                p_error_message=error_message,
                p_google_calls=google_calls,
                p_duration_ms=duration_ms,
                p_lost_message=lost_message,
            )
        )

    def sweep_state(self, stale_hours: float) -> tuple[int, int]:
        """(calendars still due, counted to 1000; calendars that a recent notification vouches for)."""
        row = self._rpc.rows("sweep_state", p_stale_hours=stale_hours)[0]
        return row["remaining"], row["vouched_for"]

    def calendars_of_user(self, user_id: str) -> list[UserCalendar]:
        found = self._rpc.rows("calendars_of_user", p_user_id=user_id)
        return [
            UserCalendar(
                row["calendar_id"],
                row["google_calendar_id"],
                rows.maybe(PausedReason, row["paused_reason"]),
                row["backoff_seconds"] or 0.0,
            )
            for row in found
        ]


def _notified(row: Mapping[str, Any]) -> Notified:
    return Notified(NotifiedOutcome(row["outcome"]), row["calendar_id"], row["due_in_seconds"] or 0.0)
