"""The feed of change events. SQL: events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.clients.store.rows import instant
from sync.clients.store.rpc import Rpc
from sync.event_model import Feed, FeedEvent


@dataclass(frozen=True, slots=True)
class EventStep:
    """One step through old events: rows looked at, those dropped, and the row to go on from (`after`)."""

    seen: int
    dropped: int
    after: int


def feed_event(row: Mapping[str, Any]) -> FeedEvent:
    occurred_at = instant(row["occurred_at"])
    assert occurred_at is not None  # noqa: S101 - the column is not null
    plain = ("position", "type", "user_id", "calendar_id", "meeting_id", "data")
    return FeedEvent(**{name: row[name] for name in plain}, occurred_at=occurred_at)


class FeedCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def read(self, after: int, limit: int) -> Feed:
        """Up to `limit` events (1000 at most) after a position."""
        found = self._rpc.call("read_events", p_after=after, p_limit=limit)
        return Feed(tuple(feed_event(row) for row in found["events"]), found["last"], found["dropped"])

    def drop(self, keep_days: int, limit: int, after: int) -> EventStep:
        row = self._rpc.rows("drop_old_events", p_keep_days=keep_days, p_limit=limit, p_after=after)[0]
        return EventStep(row["seen"], row["dropped"], row["last_id"] or after)
