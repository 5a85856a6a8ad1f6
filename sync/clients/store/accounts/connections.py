"""Users' grants, as ciphertext. SQL: accounts."""

from __future__ import annotations

from collections.abc import Sequence

from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.model import SealedTokens
from sync.states import Standing


class ConnectionCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def connect(
        self,
        user_id: str,
        google_calendar_ids: Sequence[str],
        sealed: SealedTokens,
        scopes: Sequence[str],
        watch_seconds: int,
        google_account: str | None = None,
        oauth_client: str | None = None,
        notice: str | None = None,
    ) -> dict[str, str]:
        """{Google's calendar id: our calendar id}. `google_account`: its address, if known. `oauth_client`: whom the
        grant was given to. `notice`: what the user is told, if this account is new to them. Raises StoreRejected 23503
        for an unknown user."""
        found = self._rpc.rows(
            "connect_calendars",
            p_user_id=user_id,
            p_google_calendar_ids=list(google_calendar_ids),
            p_refresh_token=sealed.refresh,
            p_access_token=sealed.access,
            p_access_token_expires_at=sealed.access_expires_at.isoformat() if sealed.access_expires_at else None,
            p_scopes=list(scopes),
            p_watch_seconds=watch_seconds,
            p_refresh_token_expires_at=sealed.refresh_expires_at.isoformat() if sealed.refresh_expires_at else None,
            p_google_account=google_account,
            p_oauth_client=oauth_client,
            p_notice=notice,
        )
        return {row["google_calendar_id"]: row["calendar_id"] for row in found}

    def save_tokens(
        self, user_id: str, used_refresh_token: str, sealed: SealedTokens, oauth_client: str | None = None
    ) -> bool:
        return bool(
            self._rpc.call(
                "save_tokens",
                p_user_id=user_id,
                p_used_refresh_token=used_refresh_token,
                p_access_token=sealed.access,
                p_access_token_expires_at=sealed.access_expires_at.isoformat() if sealed.access_expires_at else None,
                p_refresh_token=sealed.refresh,
                p_oauth_client=oauth_client,
            )
        )

    def begin_refresh(
        self, user_id: str, used_refresh_token: str, seen_access_token: str | None, lease_seconds: int
    ) -> tuple[bool, SealedTokens]:
        """(may refresh, the tokens another worker has brought): neither means that another worker is at it."""
        row = self._rpc.rows(
            "begin_refresh",
            p_user_id=user_id,
            p_used_refresh_token=used_refresh_token,
            p_seen_access_token=seen_access_token,
            p_lease_seconds=lease_seconds,
        )[0]
        return row["may_refresh"], rows.tokens(row)

    def release_refresh(self, user_id: str) -> None:
        self._rpc.call("release_refresh", p_user_id=user_id)

    def read_tokens(self, after: str, limit: int) -> list[tuple[str, SealedTokens]]:
        """(user id, ciphertexts) of the next users, in order."""
        found = self._rpc.rows("read_tokens", p_after=after, p_limit=limit)
        return [(row["user_id"], SealedTokens(row["access_token"], None, row["refresh_token"])) for row in found]

    def replace_ciphertext(self, user_id: str, old: SealedTokens, new: SealedTokens) -> bool:
        """False: somebody replaced the tokens meanwhile."""
        return bool(
            self._rpc.call(
                "replace_ciphertext",
                p_user_id=user_id,
                p_old_access_token=old.access,
                p_access_token=new.access,
                p_old_refresh_token=old.refresh,
                p_refresh_token=new.refresh,
            )
        )

    def accepts_plaintext(self) -> bool:
        """Whether stored tokens without a mark of encryption are the original system's."""
        return bool(self._rpc.call("accepts_plaintext_tokens"))

    def end_plaintext(self) -> bool:
        """Whether no plaintext is left, so that none is accepted from now on."""
        return bool(self._rpc.call("end_plaintext_tokens", p_by="rotate_keys"))

    def suspect(
        self, user_id: str, used_refresh_token: str | None, oauth_client: str, confirm_seconds: float
    ) -> Standing:
        """What it means that Google refused the refresh token."""
        row = self._rpc.rows(
            "suspect_connection",
            p_user_id=user_id,
            p_used_refresh_token=used_refresh_token,
            p_oauth_client=oauth_client,
            p_confirm_seconds=confirm_seconds,
        )[0]
        return Standing(row["standing"])

    def lost(self, after: str, limit: int) -> list[tuple[str, SealedTokens]]:
        """(user id, refresh token's ciphertext) of the next users who were asked to reconnect, in order."""
        found = self._rpc.rows("lost_connections", p_after=after, p_limit=limit)
        return [(row["user_id"], SealedTokens(None, None, row["refresh_token"])) for row in found]

    def regain(self, user_id: str, used_refresh_token: str, sealed: SealedTokens, oauth_client: str) -> bool:
        """False: the connection is not lost any more."""
        return bool(
            self._rpc.call(
                "regain_connection",
                p_user_id=user_id,
                p_used_refresh_token=used_refresh_token,
                p_access_token=sealed.access,
                p_access_token_expires_at=sealed.access_expires_at.isoformat() if sealed.access_expires_at else None,
                p_refresh_token=sealed.refresh,
                p_oauth_client=oauth_client,
            )
        )

    def lose(self, user_id: str, reason: str, used_refresh_token: str | None, message: str | None = None) -> bool:
        """True the first time; then the user is told, by `message`."""
        return bool(
            self._rpc.call(
                "lose_connection",
                p_user_id=user_id,
                p_reason=reason,
                p_used_refresh_token=used_refresh_token,
                p_message=message,
            )
        )
