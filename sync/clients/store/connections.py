"""Users' grants, as ciphertext. SQL: connection_functions."""

from __future__ import annotations

from collections.abc import Sequence

from sync.clients.store.rpc import Rpc
from sync.model import SealedTokens


class ConnectionCalls(Rpc):
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
