"""Mail to users that is due. SQL: accounts."""

from __future__ import annotations

from sync.clients.store.rpc import Rpc


class MailCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def claim_unmailed(self, limit: int, lease_seconds: int, oldest_seconds: int) -> list[tuple[str, str, str]]:
        """(notification id, address, message) of what is to be mailed now."""
        found = self._rpc.rows(
            "claim_unmailed_notifications",
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_oldest_seconds=oldest_seconds,
        )
        return [(row["notification_id"], row["address"], row["message"]) for row in found]

    def mark_mailed(self, notification_id: str) -> None:
        self._rpc.call("mark_mailed", p_notification_id=notification_id)
