"""The queue of what is sent to subscribers. SQL: events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.clients.store.events.feed import feed_event
from sync.clients.store.events.subscriptions import endpoint
from sync.clients.store.rpc import Rpc
from sync.event_model import Answer, AttemptEnd, Delivery


def _delivery(row: Mapping[str, Any]) -> Delivery:
    plain = ("event_id", "attempt", "tries", "failures_in_a_row", "is_doubtful", "row")
    return Delivery(**{name: row[name] for name in plain}, endpoint=endpoint(row), event=feed_event(row["event"]))


class DeliveryCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def claim(
        self,
        limit: int,
        *,
        doubtful_limit: int,
        per_subscription: int,
        lease_seconds: int,
        slow_ms: int,
        most_tries: int,
    ) -> list[Delivery]:
        """Leases what is due (see `claim_event_deliveries`). A claim whose answer is lost lapses with its lease."""
        found = self._rpc.call(
            "claim_event_deliveries",
            p_limit=limit,
            p_doubtful_limit=doubtful_limit,
            p_per_subscription=per_subscription,
            p_lease_seconds=lease_seconds,
            p_slow_ms=slow_ms,
            p_most_tries=most_tries,
        )
        return [_delivery(row) for row in found]

    def record(self, delivery: Delivery, answer: Answer, end: AttemptEnd) -> bool:
        """How an attempt ended. False: another attempt has the delivery by now, or it is gone."""
        optional = {"pause_seconds": end.pause_seconds, "disable_reason": end.disable_reason}
        return bool(
            self._rpc.call(
                "record_event_delivery",
                p_subscription_id=delivery.endpoint.subscription_id,
                p_event_id=delivery.event_id,
                p_attempt=delivery.attempt,
                p_end={
                    "state": end.state,
                    "next_seconds": end.next_seconds,
                    "status": answer.status,
                    "error_code": end.error_code,
                    "duration_ms": answer.duration_ms,
                    **{name: value for name, value in optional.items() if value is not None},
                },
            )
        )
