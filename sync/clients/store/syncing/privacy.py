"""Private content that lies stored. SQL: privacy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.clients.store.rpc import Rpc


class PrivacyCalls:
    """Each call does nothing, and answers nothing, unless the settings in force hide private events."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def hide_meetings(self, limit: int) -> int:
        """Hides the content of up to `limit` meetings; answers of how many."""
        return int(self._rpc.call("hide_private_meetings", p_limit=limit))

    def shown_items(self, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` items of the mirror whose content is still there: {calendar_id, google_event_id, details}."""
        found: list[dict[str, Any]] = self._rpc.call("read_private_items", p_limit=limit)
        return found

    def hide_items(self, items: Sequence[Mapping[str, Any]]) -> int:
        """Replaces {calendar_id, google_event_id, before, after} where `before` still stands; answers how many."""
        return int(self._rpc.call("hide_private_items", p_items=list(items)))
