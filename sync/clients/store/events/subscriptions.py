"""Who is told of changes. SQL: events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.clients.store.rpc import Rpc
from sync.event_model import Endpoint
from sync.states import SubscriptionContent


def endpoint(row: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        row["subscription_id"],
        row["url"],
        SubscriptionContent(row["content"]),
        row["secret"],
        row["previous_secret"],
    )


class SubscriptionCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def add(
        self,
        subscription_id: str,
        url: str,
        sealed_secret: str,
        *,
        types: Sequence[str] | None,
        content: SubscriptionContent,
        after: int | None,
        most: int,
    ) -> str:
        """'made', or why not: 'too_many', 'dropped', 'ahead'."""
        found = self._rpc.call(
            "add_event_subscription",
            p_subscription_id=subscription_id,
            p_url=url,
            p_types=None if types is None else list(types),
            p_content=content,
            p_secret=sealed_secret,
            p_after=after,
            p_most=most,
        )
        return str(found["outcome"])

    def read(self, subscription_id: str | None = None) -> list[dict[str, Any]]:
        """All, or the one of that id, without secrets, with what waits (`pending`) and what was given up (`dead`)."""
        return list(self._rpc.call("read_event_subscriptions", p_subscription_id=subscription_id))

    def endpoint(self, subscription_id: str) -> Endpoint | None:
        row = self._rpc.call("event_endpoint", p_subscription_id=subscription_id)
        return endpoint(row) if row else None

    def change(self, subscription_id: str, changes: Mapping[str, Any], overlap_seconds: int) -> bool:
        """False: there is no such subscription. A changed `secret` is ciphertext; the one before signs on for so
        long."""
        return bool(
            self._rpc.call(
                "change_event_subscription",
                p_subscription_id=subscription_id,
                p_changes=dict(changes),
                p_overlap_seconds=overlap_seconds,
            )
        )

    def remove(self, subscription_id: str) -> bool:
        """False: there was none."""
        return bool(self._rpc.call("remove_event_subscription", p_subscription_id=subscription_id))

    def replay(self, subscription_id: str, after: int, upto: int, limit: int) -> tuple[int, int | None] | None:
        """(events to be sent again, go on after this position), the latter None at the end; None: no such
        subscription."""
        found = self._rpc.call(
            "replay_events", p_subscription_id=subscription_id, p_after=after, p_upto=upto, p_limit=limit
        )
        return (found["replayed"], found["last"]) if found else None

    def read_secrets(self, after: str, limit: int) -> list[tuple[str, str, str | None]]:
        """(subscription, secret, previous secret), as ciphertext, of the next ones, in order."""
        found = self._rpc.rows("read_event_secrets", p_after=after, p_limit=limit)
        return [(row["subscription_id"], row["secret"], row["previous_secret"]) for row in found]

    def replace_secrets(self, subscription_id: str, old: tuple[str, str | None], new: tuple[str, str | None]) -> bool:
        """False: they were changed meanwhile."""
        return bool(
            self._rpc.call(
                "replace_event_secrets",
                p_subscription_id=subscription_id,
                p_old_secret=old[0],
                p_secret=new[0],
                p_old_previous=old[1],
                p_previous=new[1],
            )
        )
