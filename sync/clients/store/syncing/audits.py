"""The drift audit's sample. SQL: syncing, the drift audit."""

from __future__ import annotations

from collections.abc import Sequence

from sync.clients.store.rpc import Rpc


class AuditCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def sample(self, limit: int, calendar_ids: Sequence[str] | None = None) -> list[str]:
        """Ids of the calendars whose last audit is the longest ago (of `calendar_ids`, if given)."""
        ids = list(calendar_ids) if calendar_ids is not None else None
        return [row["calendar_id"] for row in self._rpc.rows("sample_for_audit", p_limit=limit, p_calendar_ids=ids)]
