"""What operators do by hand, each deed with its audit row. SQL: operators; lanes: syncing, the queue."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.clients.store.rpc import Rpc


@dataclass(frozen=True, slots=True)
class Deed:
    """What came of an operator's action: done | not_found | nothing_to_do, and how many rows it touched."""

    outcome: str
    affected: int


class OperatorCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def act(
        self,
        *,
        operator: str,
        door: str,
        action: str,
        target: str = "",
        params: Mapping[str, Any] | None = None,
        limit: int = 1000,
    ) -> Deed:
        """Does one action and writes who did it, together or not at all. Raises the store's failures."""
        row = self._rpc.call(
            "operate",
            p_id=str(uuid.uuid4()),
            p_operator=operator,
            p_door=door,
            p_action=action,
            p_target=target,
            p_params=dict(params or {}),
            p_limit=limit,
        )
        return Deed(row["outcome"], row["affected"])

    def actions(self, *, before: tuple[str, str] | None, limit: int) -> list[dict[str, Any]]:
        """The latest first, from before (at, id)."""
        at, action_id = before or (None, None)
        return self._rpc.rows("read_operator_actions", p_before_at=at, p_before_id=action_id, p_limit=limit)

    def standing(self) -> dict[str, Any]:
        """What stands in the way now: quota, outages, findings, pauses, alerts (`service_standing` in docs/sql.md)."""
        found: dict[str, Any] = self._rpc.call("service_standing")
        return found

    def bot_requests(self, which: str, limit: int) -> list[dict[str, Any]]:
        """Bots asked for: `which` dead, waiting, or else the latest."""
        return self._rpc.rows("list_bot_requests", p_which=which, p_limit=limit)

    def deliveries(self, subscription_id: str, limit: int) -> list[dict[str, Any]]:
        """A subscription's deliveries: given up, waiting, then the newest."""
        return self._rpc.rows("list_event_deliveries", p_subscription_id=subscription_id, p_limit=limit)

    def alerts(self, limit: int) -> dict[str, list[dict[str, Any]]]:
        """{alerts: open ones first, destinations}"""
        found: dict[str, list[dict[str, Any]]] = self._rpc.call("read_alerts", p_limit=limit)
        return found

    def calendar(self, calendar_id: str) -> dict[str, Any] | None:
        """One calendar as its page shows it; None: there is none."""
        found: dict[str, Any] | None = self._rpc.call("calendar_card", p_calendar_id=calendar_id)
        return found

    def history(self, hours: int) -> list[dict[str, Any]]:
        """The charts' points of the last `hours`, the oldest first."""
        return self._rpc.rows("service_history", p_hours=hours)

    def drop_old(self, keep_days: int, limit: int) -> int:
        return int(self._rpc.call("drop_old_actions", p_keep_days=keep_days, p_limit=limit))
