"""The facts behind a meeting. SQL: syncing, explaining."""

from __future__ import annotations

from typing import Any

from sync.clients.store.rpc import Rpc


class ExplainCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def meeting(self, meeting_id: str) -> dict[str, Any] | None:
        """{calendar, members, meeting, log}; None if there is no such row."""
        found: dict[str, Any] | None = self._rpc.call("explain_meeting", p_meeting_id=meeting_id)
        return found

    def event(self, event_id: str, base_event_id: str, user_id: str | None) -> list[dict[str, Any]]:
        """The same for each calendar that knows the event."""
        answer: list[dict[str, Any]] = self._rpc.call(
            "explain_event", p_event_id=event_id, p_base_event_id=base_event_id, p_user_id=user_id
        )
        return answer
