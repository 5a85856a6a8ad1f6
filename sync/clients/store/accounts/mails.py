"""Mail to users that is due. SQL: accounts."""

from __future__ import annotations

from dataclasses import dataclass

from sync.clients.store.rpc import Rpc
from sync.states import UserNotice


@dataclass(frozen=True, slots=True)
class DueMail:
    """A notification that is to be mailed to `address`."""

    notification_id: str
    address: str
    kind: UserNotice
    message: str


class MailCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def claim_unmailed(self, limit: int, lease_seconds: int, oldest_seconds: int) -> list[DueMail]:
        """What is to be mailed now."""
        found = self._rpc.rows(
            "claim_unmailed_notifications",
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_oldest_seconds=oldest_seconds,
        )
        return [
            DueMail(row["notification_id"], row["address"], UserNotice(row["kind"]), row["message"]) for row in found
        ]

    def mark_mailed(self, notification_id: str) -> None:
        self._rpc.call("mark_mailed", p_notification_id=notification_id)
