"""What a sync reads of the mirror and what it writes. SQL: syncing, the commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.model import Claim, SyncPart


@dataclass(frozen=True, slots=True)
class Committed:
    """`committed` False: the fence moved on. `notified`: a notification came since the claim."""

    committed: bool
    created: int
    updated: int
    deleted: int
    due_in_seconds: float
    notified: bool


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows written by the parts of a full sync so far: meetings, and events of the mirror."""

    created: int
    updated: int
    deleted: int
    events: int

    def plus(self, other: Staged) -> Staged:
        return Staged(
            self.created + other.created,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.events + other.events,
        )


class CommitCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def read_families(
        self, calendar_id: str, base_event_ids: Iterable[str], event_ids: Iterable[str]
    ) -> tuple[list[dict[str, Any]], dt.datetime | None]:
        """Google's trimmed JSON of whole families, named by base ids and by members, and the earliest start among their
        meetings."""
        answer = self._rpc.call(
            "read_families",
            p_calendar_id=calendar_id,
            p_base_event_ids=sorted(base_event_ids),
            p_event_ids=sorted(event_ids),
        )
        return [row["details"] for row in answer["events"]], rows.instant(answer["earliest"])

    def stage(
        self, claim: Claim, sync_id: str, part: SyncPart, covered_from: dt.datetime | None, lease_seconds: int
    ) -> Staged | None:
        """Writes a part of a full sync that is too large for one payload. None: the fence moved on."""
        row = self._rpc.rows(
            "stage_sync",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_sync_id=sync_id,
            p_part=rows.part_json(part, covered_from),
            p_lease_seconds=lease_seconds,
        )[0]
        if not row["accepted"]:
            return None
        return Staged(row["created"], row["updated"], row["deleted"], row["events"])

    def commit(
        self, claim: Claim, part: SyncPart, covered_from: dt.datetime | None, facts: dict[str, Any]
    ) -> Committed:
        """The one commit of a sync. `facts`: the scalar keys of `commit_sync`'s p_sync (see its SQL comment)."""
        row = self._rpc.rows(
            "commit_sync",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_sync={**facts, **rows.part_json(part, covered_from)},
        )[0]
        return Committed(**row)
