"""The quota that all processes share: leases of requests, and what Google refused. SQL: quota."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.clients.store.rpc import Rpc


class QuotaCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def lease(
        self,
        lanes: Mapping[str, int],
        users: Mapping[str, int],
        unspent: Sequence[Mapping[str, Any]],
        *,
        per_minute: float,
        per_user_minute: float,
    ) -> Mapping[str, Any]:
        """What `lease_google_quota` answers. Not repeated: what a lost answer leased runs out, and somebody waits."""
        answer = self._rpc.once(
            "lease_google_quota",
            {
                "p_wanted": dict(lanes),
                "p_users": dict(users),
                "p_returned": list(unspent),
                "p_most": per_minute,
                "p_user_most": per_user_minute,
            },
        )
        return dict(answer)

    def report_refusal(
        self,
        user_id: str,
        whose: str,
        retry_after_seconds: float | None,
        *,
        per_minute: float,
        per_user_minute: float,
    ) -> str:
        """Whose quota it was taken to be: user or project. Once: a rate goes down once a minute anyway."""
        answer = self._rpc.once(
            "report_google_refusal",
            {
                "p_user_id": user_id,
                "p_whose": whose,
                "p_retry_after_seconds": retry_after_seconds,
                "p_most": per_minute,
                "p_user_most": per_user_minute,
            },
        )
        return str(answer["whose"])
