"""What is asked of a provider of bots, and what it tells. SQL: bots, requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sync.bot_model import BotProviderName, BotTold
from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.states import BotStatus
from sync.wish_model import BotRequest

_TIMES = frozenset({"join_at", "meeting_end", "told_join_at", "told_at"})


class BotRequestCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def claim(
        self,
        provider: BotProviderName,
        *,
        limit: int,
        lease_seconds: int,
        creates_per_minute: float,
        changes_per_minute: float,
    ) -> list[BotRequest]:
        """Those whose meeting begins soonest, as far as the provider's rates allow."""
        found = self._rpc.rows(
            "claim_bot_requests",
            p_provider=provider,
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_creates_per_minute=creates_per_minute,
            p_changes_per_minute=changes_per_minute,
        )
        return [_request(row) for row in found]

    def record(self, request: BotRequest, result: Mapping[str, Any]) -> bool:
        """False: another worker has it by now."""
        return bool(
            self._rpc.call("record_bot_delivery", p_request_id=request.id, p_fence=request.fence, p_result=dict(result))
        )

    def record_message(self, told: BotTold, status: BotStatus | None) -> str:
        """taken, repeated or unknown (no bot of ours)."""
        (row,) = self._rpc.rows(
            "record_bot_message",
            p_provider=told.provider,
            p_message_id=told.message_id,
            p_bot_id=told.bot_id,
            p_key=told.key,
            p_status=status,
            p_provider_state=told.state,
            p_at=told.at.isoformat() if told.at else None,
        )
        return str(row["outcome"])

    def compare(self, provider: BotProviderName, bots: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """What was repaired: {taken, doubled, differing}."""
        return dict(self._rpc.call("compare_bots", p_provider=provider, p_bots=list(bots)))

    def begin_comparison(self) -> str:
        """When a listing begins, for `end_comparison`: by the store's clock, which may differ from ours."""
        return str(self._rpc.call("begin_comparison")["at"])

    def end_comparison(self, provider: BotProviderName, since: str) -> int:
        """How many bots are to be looked up, since a whole listing did not show them."""
        return int(self._rpc.call("end_comparison", p_provider=provider, p_since=since))

    def drop_old(self, keep_days: int, limit: int) -> int:
        return int(self._rpc.call("drop_old_bots", p_keep_days=keep_days, p_limit=limit))

    def explain(self, meeting_id: str) -> dict[str, Any] | None:
        """The wish and the request of a meeting; None without a wish."""
        found = self._rpc.call("explain_bot", p_meeting_id=meeting_id)
        return dict(found) if found else None


def _request(row: Mapping[str, Any]) -> BotRequest:
    names = [field.name for field in dataclasses.fields(BotRequest)]
    values: dict[str, Any] = {name: rows.instant(row[name]) if name in _TIMES else row[name] for name in names}
    return BotRequest(**(values | {"status": BotStatus(row["status"])}))
