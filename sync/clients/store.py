"""Supabase: one method per SQL function, typed both ways.

Owns the one supabase client of the process, its time-outs, and the retry of calls whose outcome is unknown: every
function is idempotent, so a lost answer is asked for again. Knows no rule. Called by jobs, and by web routes for one
call each.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from postgrest.exceptions import APIError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from supabase import Client, ClientOptions, create_client
from sync.clients import rows
from sync.errors import StoreRejected, StoreUnavailable
from sync.model import Claim, DeadChannel, SealedTokens, SyncPart, WatchClaim

# Above the platform's own statement timeout (8 s), so that the database's answer comes before ours.
TIMEOUT_SECONDS = 12.0
ATTEMPTS = 4
CONNECTIONS = 40


@dataclass(frozen=True, slots=True)
class Notified:
    """What a notification came to: due | handshake | dead_channel | unknown_channel | refused."""

    outcome: str
    calendar_id: str | None
    due_in_seconds: float


@dataclass(frozen=True, slots=True)
class Committed:
    """`committed` False: the fence moved on. `notified`: a notification came since the claim."""

    committed: bool
    created: int
    updated: int
    deleted: int
    due_in_seconds: float
    notified: bool


@dataclass(frozen=True, slots=True)
class UserCalendar:
    calendar_id: str
    google_calendar_id: str
    paused_reason: str | None


class Store:
    """Thread-safe; create one per process, after fork."""

    def __init__(self, url: str, service_key: str) -> None:
        # HTTP/2 breaks under threads and closed keep-alives (lost writes); PostgREST's own retry hides unknown
        # outcomes.
        http = httpx.Client(
            http2=False,
            timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=5.0),
            limits=httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=30.0
            ),
        )
        options = ClientOptions(
            httpx_client=http, auto_refresh_token=False, persist_session=False, postgrest_client_retry=False
        )
        self._client: Client = create_client(url, service_key, options)
        # Built lazily and without a lock by supabase-py: touch it before threads share it.
        _ = self._client.postgrest

    def record_notification(self, channel_id: str, resource_id: str, state: str, number: int | None) -> Notified:
        row = self._rows(
            "record_notification",
            p_channel_id=channel_id,
            p_resource_id=resource_id,
            p_resource_state=state,
            p_message_number=number,
        )[0]
        return Notified(row["outcome"], row["calendar_id"], row["due_in_seconds"] or 0.0)

    def claim_due_calendars(
        self,
        worker: str,
        *,
        limit: int,
        lease_seconds: int,
        calendar_ids: Sequence[str] | None = None,
        even_if_not_due: bool = False,
    ) -> list[Claim]:
        claimed = self._rows(
            "claim_due_calendars",
            p_worker=worker,
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_calendar_ids=list(calendar_ids) if calendar_ids is not None else None,
            p_even_if_not_due=even_if_not_due,
        )
        return [rows.claim(row) for row in claimed]

    def extend_lease(self, claim: Claim, lease_seconds: int) -> bool:
        return bool(
            self._call(
                "extend_lease", p_calendar_id=claim.calendar_id, p_fence=claim.fence, p_lease_seconds=lease_seconds
            )
        )

    def release_calendar(self, claim: Claim) -> bool:
        return bool(self._call("release_calendar", p_calendar_id=claim.calendar_id, p_fence=claim.fence))

    def end_claim(
        self,
        claim: Claim,
        *,
        status: str,
        sync_type: str,
        reason: str,
        next_seconds: float,
        error_code: str | None = None,
        error_message: str | None = None,
        pause_reason: str | None = None,
        google_calls: int = 0,
        duration_ms: int | None = None,
    ) -> bool:
        """Ends a claim without a sync: status skipped or failed."""
        return bool(
            self._call(
                "end_claim",
                p_calendar_id=claim.calendar_id,
                p_fence=claim.fence,
                p_status=status,
                p_sync_type=sync_type,
                p_reason=reason,
                p_next_seconds=next_seconds,
                p_error_code=error_code,
                p_error_message=error_message,
                p_pause_reason=pause_reason,
                p_google_calls=google_calls,
                p_duration_ms=duration_ms,
            )
        )

    def sweep_state(self, stale_hours: float) -> tuple[int, int]:
        """(calendars still due, counted to 1000; calendars that a recent notification vouches for)."""
        row = self._rows("sweep_state", p_stale_hours=stale_hours)[0]
        return row["remaining"], row["vouched_for"]

    def calendars_of_user(self, user_id: str) -> list[UserCalendar]:
        return [UserCalendar(**row) for row in self._rows("calendars_of_user", p_user_id=user_id)]

    def read_families(
        self, calendar_id: str, base_event_ids: Iterable[str]
    ) -> tuple[list[dict[str, Any]], dt.datetime | None]:
        """Google's trimmed JSON of whole families, and the earliest start among their meetings."""
        answer = self._call("read_families", p_calendar_id=calendar_id, p_base_event_ids=sorted(base_event_ids))
        return [row["details"] for row in answer["events"]], rows.instant(answer["earliest"])

    def stage_sync(
        self,
        claim: Claim,
        sync_id: str,
        part: SyncPart,
        covered_from: dt.datetime | None,
        lease_seconds: int,
    ) -> tuple[bool, int, int, int]:
        """(accepted, created, updated, deleted) for a part of a full sync that is too large for one payload."""
        row = self._rows(
            "stage_sync",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_sync_id=sync_id,
            p_part=rows.part_json(part, covered_from),
            p_lease_seconds=lease_seconds,
        )[0]
        return row["accepted"], row["created"], row["updated"], row["deleted"]

    def commit_sync(
        self, claim: Claim, part: SyncPart, covered_from: dt.datetime | None, facts: dict[str, Any]
    ) -> Committed:
        """The one commit of a sync. `facts`: the scalar keys of `commit_sync`'s p_sync (see its SQL comment)."""
        row = self._rows(
            "commit_sync",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_sync={**facts, **rows.part_json(part, covered_from)},
        )[0]
        return Committed(**row)

    def claim_expiring_watches(
        self, *, limit: int, lead_seconds: float, lease_seconds: int, calendar_ids: Sequence[str] | None = None
    ) -> list[WatchClaim]:
        claimed = self._rows(
            "claim_expiring_watches",
            p_limit=limit,
            p_lead_seconds=lead_seconds,
            p_lease_seconds=lease_seconds,
            p_calendar_ids=list(calendar_ids) if calendar_ids is not None else None,
        )
        return [rows.watch_claim(row) for row in claimed]

    def begin_channel(self, channel_id: str, calendar_id: str, address: str) -> None:
        self._call("begin_channel", p_channel_id=channel_id, p_calendar_id=calendar_id, p_address=address)

    def activate_channel(self, channel_id: str, resource_id: str, expires_at: dt.datetime) -> list[str]:
        """Ids of the earlier channels that are now to be stopped."""
        found = self._rows(
            "activate_channel",
            p_channel_id=channel_id,
            p_resource_id=resource_id,
            p_expires_at=expires_at.isoformat(),
        )
        return [row["channel_id"] for row in found]

    def fail_channel(self, channel_id: str, error_code: str, retry_seconds: float) -> None:
        self._call("fail_channel", p_channel_id=channel_id, p_error_code=error_code, p_retry_seconds=retry_seconds)

    def claim_dead_channels(
        self, *, limit: int, lease_seconds: int, abandoned_seconds: int, channel_ids: Sequence[str] | None = None
    ) -> list[DeadChannel]:
        claimed = self._rows(
            "claim_dead_channels",
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_abandoned_seconds=abandoned_seconds,
            p_channel_ids=list(channel_ids) if channel_ids is not None else None,
        )
        return [DeadChannel(row["channel_id"], row["resource_id"], row["user_id"], rows.tokens(row)) for row in claimed]

    def end_channel(self, channel_id: str, *, retry_seconds: float | None = None) -> None:
        self._call("end_channel", p_channel_id=channel_id, p_retry_seconds=retry_seconds)

    def connect_calendars(
        self,
        user_id: str,
        google_calendar_ids: Sequence[str],
        sealed: SealedTokens,
        scopes: Sequence[str],
        watch_seconds: int,
    ) -> dict[str, str]:
        """{Google's calendar id: our calendar id}. Raises StoreRejected 23503 for an unknown user."""
        found = self._rows(
            "connect_calendars",
            p_user_id=user_id,
            p_google_calendar_ids=list(google_calendar_ids),
            p_refresh_token=sealed.refresh,
            p_access_token=sealed.access,
            p_access_token_expires_at=sealed.access_expires_at.isoformat() if sealed.access_expires_at else None,
            p_scopes=list(scopes),
            p_watch_seconds=watch_seconds,
        )
        return {row["google_calendar_id"]: row["calendar_id"] for row in found}

    def save_tokens(self, user_id: str, used_refresh_token: str, sealed: SealedTokens) -> bool:
        return bool(
            self._call(
                "save_tokens",
                p_user_id=user_id,
                p_used_refresh_token=used_refresh_token,
                p_access_token=sealed.access,
                p_access_token_expires_at=sealed.access_expires_at.isoformat() if sealed.access_expires_at else None,
                p_refresh_token=sealed.refresh,
            )
        )

    def lose_connection(self, user_id: str, reason: str, used_refresh_token: str | None) -> bool:
        """True the first time."""
        return bool(
            self._call("lose_connection", p_user_id=user_id, p_reason=reason, p_used_refresh_token=used_refresh_token)
        )

    def is_reachable(self) -> bool:
        """One cheap call, not repeated: for the readiness probe."""
        try:
            self._once("sweep_state", {"p_stale_hours": 0})
        except (StoreUnavailable, StoreRejected):
            return False
        return True

    def close(self) -> None:
        self._client.postgrest.session.close()

    def _rows(self, function: str, **params: Any) -> list[dict[str, Any]]:
        answer = self._call(function, **params)
        return list(answer or ())

    def _call(self, function: str, **params: Any) -> Any:
        retrying: Callable[..., Any] = Retrying(
            retry=retry_if_exception_type(StoreUnavailable),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2.0),
            reraise=True,
        )
        return retrying(self._once, function, params)

    def _once(self, function: str, params: dict[str, Any]) -> Any:
        try:
            return self._client.rpc(function, params).execute().data
        except APIError as refused:
            code = str(refused.code or "unknown")
            # 57: the operator's or the statement's time ran out; 40: deadlock or serialisation; 53: no resources;
            # 08: connection; PGRST00x: PostgREST has no database; three digits: an HTTP error without PostgREST's
            # body (a gateway).
            if code[:2] in {"57", "40", "53", "08"} or code.startswith("PGRST00") or code in _GATEWAY_CODES:
                raise StoreUnavailable(code, function) from None
            raise StoreRejected(code, function) from None
        except httpx.HTTPError as broken:
            raise StoreUnavailable(type(broken).__name__, function) from None


_GATEWAY_CODES = frozenset({"408", "429", "500", "502", "503", "504", "520", "522", "524"})
