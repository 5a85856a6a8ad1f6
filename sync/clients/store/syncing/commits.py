"""What a sync reads of the mirror and what it writes. SQL: syncing, the commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.model import Claim, NamedException, SyncPart


@dataclass(frozen=True, slots=True)
class Committed:
    """`committed` False: the fence moved on, or other settings are in force. `notified`: a notification came
    since the claim."""

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


@dataclass(frozen=True, slots=True)
class StoredFamilies:
    """Families of the mirror: Google's trimmed JSON, and by base id the start of the first meeting of each that has
    any. `alone`: base ids of those asked about whose exceptions concern no other occurrence."""

    details: list[dict[str, Any]]
    earliest: dict[str, dt.datetime]
    alone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StagedItems:
    """Google's trimmed JSON, and the base id to go on from; None: there is no more."""

    details: list[dict[str, Any]]
    last: str | None


class CommitCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def read_families(
        self,
        calendar_id: str,
        base_event_ids: Iterable[str],
        event_ids: Iterable[str],
        exceptions: Iterable[NamedException] = (),
    ) -> StoredFamilies:
        """Whole families of the mirror, named by base ids and by members, and those of the `exceptions` that do not
        stand alone."""
        answer = self._rpc.call(
            "read_families",
            p_calendar_id=calendar_id,
            p_base_event_ids=sorted(base_event_ids),
            p_event_ids=sorted(event_ids),
            p_exceptions=[rows.record(exception) for exception in exceptions],
        )
        details = [row["details"] for row in answer["events"]]
        return StoredFamilies(details, _instants(answer["earliest"]), frozenset(answer["alone"]))

    def first_starts(
        self, calendar_id: str, base_event_ids: Iterable[str], before: dt.datetime | None
    ) -> dict[str, dt.datetime]:
        """The start of the first meeting of each family that has any (before an instant)."""
        answer = self._rpc.call(
            "first_starts",
            p_calendar_id=calendar_id,
            p_base_event_ids=sorted(base_event_ids),
            p_before=before.isoformat() if before else None,
        )
        return _instants(answer)

    def stage_items(
        self, claim: Claim, items: Sequence[tuple[str, str, Mapping[str, Any]]], is_first: bool, lease_seconds: int
    ) -> bool:
        """Keeps listed items (id, base id, details) until the listing's end. `is_first`: what an earlier listing left
        goes. False: the fence moved on."""
        return bool(
            self._rpc.call(
                "stage_items",
                p_calendar_id=claim.calendar_id,
                p_fence=claim.fence,
                p_items=[
                    {"google_event_id": event_id, "base_event_id": base_id, "details": details}
                    for event_id, base_id, details in items
                ],
                p_is_first=is_first,
                p_lease_seconds=lease_seconds,
            )
        )

    def read_items(self, claim: Claim, after: str, limit: int) -> StagedItems:
        """Staged items of the families that follow the base id `after`: whole families, about `limit` items."""
        answer = self._rpc.call(
            "read_staged_items",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_after=after,
            p_limit=limit,
        )
        return StagedItems(answer["items"], answer["last"])

    def stage(
        self, claim: Claim, sync_id: str, part: SyncPart, is_full: bool, lease_seconds: int, generation: int
    ) -> Staged | None:
        """Writes a part of a sync that is too large for one payload, made under a generation of the settings. None: the
        fence moved on, or another generation is in force."""
        row = self._rpc.rows(
            "stage_sync",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_sync_id=sync_id,
            p_part=rows.part_json(part),
            p_is_full=is_full,
            p_lease_seconds=lease_seconds,
            p_generation=generation,
        )[0]
        if not row["accepted"]:
            return None
        return Staged(row["created"], row["updated"], row["deleted"], row["events"])

    def commit(self, claim: Claim, part: SyncPart, facts: dict[str, Any]) -> Committed:
        """The one commit of a sync. `facts`: the scalar keys of `commit_sync`'s p_sync (see its SQL comment)."""
        row = self._rpc.rows(
            "commit_sync",
            p_calendar_id=claim.calendar_id,
            p_fence=claim.fence,
            p_sync={**facts, **rows.part_json(part)},
        )[0]
        return Committed(**row)


def _instants(starts: Mapping[str, str]) -> dict[str, dt.datetime]:
    return {base_id: dt.datetime.fromisoformat(at).astimezone(dt.UTC) for base_id, at in starts.items()}
