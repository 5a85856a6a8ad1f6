"""What was refused, counted. SQL: operations, security events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.clients.store.rpc import Rpc


@dataclass(frozen=True, slots=True)
class SecurityAlert:
    """`seen` of one kind within `hour` (ISO) reached the threshold just now."""

    hour: str
    kind: str
    seen: int


class SecurityCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def record(
        self,
        batch_id: str,
        counts: Mapping[tuple[str, str, str], int],
        *,
        alert_at: int,
        hour_rows: int,
        keep_days: int,
    ) -> list[SecurityAlert]:
        """Counts by (hour in ISO, kind, address prefix). Not repeated here: who repeats a batch keeps its id."""
        rows = self._rpc.once(
            "record_security_events",
            {
                "p_batch": batch_id,
                "p_events": [
                    {"hour": hour, "kind": kind, "address_prefix": prefix, "count": count}
                    for (hour, kind, prefix), count in counts.items()
                ],
                "p_alert_at": alert_at,
                "p_hour_rows": hour_rows,
                "p_keep_days": keep_days,
            },
        )
        return [SecurityAlert(row["hour"], row["kind"], row["seen"]) for row in rows or ()]
