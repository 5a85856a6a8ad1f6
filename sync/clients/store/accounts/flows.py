"""Flows through Google's consent page. SQL: accounts."""

from __future__ import annotations

from sync.clients.store.rpc import Rpc


class FlowCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def begin(self, nonce_hash: str, user_id: str, sealed_verifier: str, seconds: int) -> None:
        """Raises StoreRejected 23503 for an unknown user."""
        self._rpc.call(
            "begin_oauth_flow",
            p_nonce_hash=nonce_hash,
            p_user_id=user_id,
            p_verifier=sealed_verifier,
            p_seconds=seconds,
        )

    def take(self, nonce_hash: str, user_id: str, return_id: str) -> tuple[str, str | None]:
        """(ok | expired | used, the sealed verifier when ok). `return_id`: this return's own, the same in repeats."""
        row = self._rpc.rows("take_oauth_flow", p_nonce_hash=nonce_hash, p_user_id=user_id, p_return=return_id)[0]
        return row["outcome"], row["verifier"]
