"""Flows through Google's consent page. SQL: accounts."""

from __future__ import annotations

from dataclasses import dataclass

from sync.clients.store.rpc import Rpc


@dataclass(frozen=True, slots=True)
class ParkedFlow:
    """A flow that came back from Google; `verifier` and `code` are ciphertext."""

    nonce_hash: str
    verifier: str
    code: str


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

    def park(
        self,
        nonce_hash: str,
        user_id: str,
        return_id: str,
        handle_hash: str | None,
        sealed_code: str | None,
        seconds: int,
    ) -> str:
        """ok | expired | used. `return_id`: this return's own, the same in repeats. Without a code the flow is over."""
        row = self._rpc.rows(
            "park_oauth_flow",
            p_nonce_hash=nonce_hash,
            p_user_id=user_id,
            p_return=return_id,
            p_handle_hash=handle_hash,
            p_code=sealed_code,
            p_seconds=seconds,
        )[0]
        return str(row["outcome"])

    def complete(self, handle_hash: str, user_id: str, call_id: str) -> tuple[str, ParkedFlow | None]:
        """(ok | expired | used | other_user, what was parked when ok). `call_id`: this call's own, the same in
        repeats."""
        row = self._rpc.rows("complete_oauth_flow", p_handle_hash=handle_hash, p_user_id=user_id, p_call=call_id)[0]
        if row["outcome"] != "ok":
            return row["outcome"], None
        return "ok", ParkedFlow(row["nonce_hash"], row["verifier"], row["code"])
