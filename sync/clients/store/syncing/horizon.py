"""The rolling horizon. SQL: syncing, the rolling horizon."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.model import RollClaim, SyncPart


@dataclass(frozen=True, slots=True)
class Entering:
    """Families that have something to enter: Google's trimmed JSON; since when they have no meetings (None: there are
    no such families); and the base id to go on from (None: there is no more)."""

    details: list[dict[str, Any]]
    since: dt.datetime | None
    last: str | None


class HorizonCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

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

    def read_entering(self, calendar_id: str, until: dt.datetime, after: str, limit: int) -> Entering:
        answer = self._rpc.call(
            "read_entering",
            p_calendar_id=calendar_id,
            p_until=until.isoformat(),
            p_after=after,
            p_limit=limit,
        )
        last = answer["last"] if answer["families"] == limit else None
        return Entering(answer["events"], rows.instant(answer["since"]), last)

    def commit(
        self,
        claim: RollClaim,
        part: SyncPart,
        until: dt.datetime | None,
        *,
        ends_claim: bool,
        lease_seconds: int,
        generation: int,
    ) -> tuple[bool, int, bool]:
        """(committed, meetings written, a notification came meanwhile). `until`: the horizon's end, if the part was
        derived up to it."""
        row = self._rpc.rows(
            "commit_roll",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_part=rows.part_json(part),
            p_horizon_until=until and until.isoformat(),
            p_is_last=ends_claim,
            p_lease_seconds=lease_seconds,
            p_generation=generation,
        )[0]
        return row["committed"], row["entered"], row["notified"]
