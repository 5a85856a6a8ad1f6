"""The drift audit's sample. SQL: syncing, the drift audit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sync.clients.store.rpc import Rpc


class AuditCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def sample(
        self, limit: int, calendar_ids: Sequence[str] | None = None, before: dt.datetime | None = None
    ) -> list[str]:
        """Ids of the calendars whose last audit is the longest ago (of `calendar_ids`, if given), and not since
        `before`."""
        found = self._rpc.rows(
            "sample_for_audit",
            p_limit=limit,
            p_calendar_ids=list(calendar_ids) if calendar_ids is not None else None,
            p_before=before.isoformat() if before else "infinity",
        )
        return [row["calendar_id"] for row in found]
