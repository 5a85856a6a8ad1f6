"""The rolling horizon. SQL: syncing, the rolling horizon."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.model import RollClaim, SyncPart


class HorizonCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def advance_quiet(self, until: dt.datetime, lag_seconds: float, limit: int) -> int:
        return int(
            self._rpc.call(
                "advance_quiet_horizons", p_until=until.isoformat(), p_lag_seconds=lag_seconds, p_limit=limit
            )
        )

    def claim_rolling(
        self, worker: str, until: dt.datetime, lag_seconds: float, limit: int, lease_seconds: int
    ) -> list[RollClaim]:
        claimed = self._rpc.rows(
            "claim_rolling_calendars",
            p_worker=worker,
            p_until=until.isoformat(),
            p_lag_seconds=lag_seconds,
            p_limit=limit,
            p_lease_seconds=lease_seconds,
        )
        return [rows.roll_claim(row) for row in claimed]

    def read_entering(
        self, claim: RollClaim, until: dt.datetime, after: str, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Google's trimmed JSON of families that may enter, and the last base id; None when there are no more."""
        answer = self._rpc.call(
            "read_entering",
            p_calendar_id=claim.calendar_id,
            p_from=claim.horizon_until.isoformat(),
            p_until=until.isoformat(),
            p_after=after,
            p_limit=limit,
        )
        return answer["events"], answer["last"] if answer["families"] == limit else None

    def commit(
        self, claim: RollClaim, part: SyncPart, until: dt.datetime, is_last: bool, lease_seconds: int, generation: int
    ) -> tuple[bool, int, bool]:
        """(committed, meetings written, a notification came meanwhile)."""
        row = self._rpc.rows(
            "commit_roll",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_part=rows.part_json(part),
            p_horizon_until=until.isoformat(),
            p_is_last=is_last,
            p_lease_seconds=lease_seconds,
            p_generation=generation,
        )[0]
        return row["committed"], row["entered"], row["notified"]
