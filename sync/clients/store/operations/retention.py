"""What is dropped once it is old. SQL: operations, retention."""

from __future__ import annotations

from dataclasses import dataclass

from sync.clients.store.rpc import Rpc


@dataclass(frozen=True, slots=True)
class LogStep:
    """One step through old logs: rows looked at, those dropped, and the row to go on from (`after`)."""

    seen: int
    dropped: int
    after: tuple[str, str] | None


class RetentionCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def drop_logs(self, keep_days: int, limit: int, after: tuple[str, str] | None) -> LogStep:
        at, log_id = after or ("-infinity", "")
        row = self._rpc.rows("drop_old_logs", p_keep_days=keep_days, p_limit=limit, p_after_at=at, p_after_id=log_id)[0]
        return LogStep(row["seen"], row["dropped"], (row["last_at"], row["last_id"]) if row["last_at"] else None)

    def drop_channels(self, keep_days: int, limit: int) -> int:
        return int(self._rpc.call("drop_old_channels", p_keep_days=keep_days, p_limit=limit))

    def drop_left_items(self, limit: int) -> int:
        return int(self._rpc.call("drop_left_items", p_limit=limit))
