"""What the rules of alerts look at, the alerts, and the queue of what is told. SQL: alerts."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sync.alert_model import (
    Alert,
    AlertChange,
    AlertDelivery,
    AlertMessage,
    Observations,
    OpenBreaker,
    TroubledRegion,
)
from sync.clients.store.rows import EPOCH, instant
from sync.clients.store.rpc import Rpc
from sync.states import AlertSeverity


class AlertCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def observe(self, day: dt.date, *, lapsing_seconds: float, with_mail: bool, newest_migration: str) -> Observations:
        """All that the database tells; what it does not stays at its default."""
        seen = self._rpc.call(
            "alert_observations",
            p_day=day.isoformat(),
            p_lapsing_seconds=lapsing_seconds,
            p_with_mail=with_mail,
            p_newest=newest_migration,
        )
        known = {field.name for field in dataclasses.fields(Observations)}
        facts = {name: value for name, value in seen.items() if name in known}
        facts["destinations"] = {name: (each["failures"], each["cause"]) for name, each in seen["destinations"].items()}
        facts["breakers"] = {name: OpenBreaker(**each) for name, each in seen["breakers"].items()}
        facts["regions"] = {name: TroubledRegion(**each) for name, each in seen["regions"].items()}
        return Observations(**facts)

    def open(self) -> tuple[Alert, ...]:
        return tuple(map(_alert, self._rpc.rows("read_open_alerts")))

    def record(
        self,
        at: dt.datetime,
        changes: Sequence[AlertChange],
        message: AlertMessage | None,
        destinations: Sequence[str],
    ) -> bool:
        """False: another round came between, and nothing was changed. A lost answer comes as False too."""
        return bool(
            self._rpc.call(
                "record_alerts",
                p_at=at.isoformat(),
                p_changes=[_change(each) for each in changes],
                p_message=message and dataclasses.asdict(message),
                p_destinations=list(destinations),
            )
        )

    def claim_deliveries(self, destinations: Sequence[str], lease_seconds: float) -> list[AlertDelivery]:
        rows = self._rpc.rows(
            "claim_alert_deliveries", p_destinations=list(destinations), p_lease_seconds=lease_seconds
        )
        return [
            AlertDelivery(
                row["delivery_id"],
                row["destination"],
                row["attempt"],
                AlertMessage(AlertSeverity(row["severity"]), row["title"], row["body"]),
                row["age_seconds"],
            )
            for row in rows
        ]

    def record_delivery(self, delivery: AlertDelivery, error_code: str | None, next_seconds: float | None) -> None:
        self._rpc.call(
            "record_alert_delivery",
            p_delivery_id=delivery.delivery_id,
            p_attempt=delivery.attempt,
            p_error_code=error_code,
            p_next_seconds=next_seconds,
        )

    def drop_old(self, keep_days: int, limit: int) -> int:
        return int(self._rpc.call("drop_old_alerts", p_keep_days=keep_days, p_limit=limit))


def _alert(row: Mapping[str, Any]) -> Alert:
    plain = ("revision", "key", "kind", "calendars", "cause", "sentence", "runbook", "told_calendars")
    return Alert(
        alert_id=row["id"],
        severity=AlertSeverity(row["severity"]),
        opened_at=instant(row["opened_at"]) or EPOCH,
        told_at=instant(row["told_at"]),
        well_since=instant(row["well_since"]),
        **{name: row[name] for name in plain},
    )


def _change(change: AlertChange) -> dict[str, Any]:
    plain = ("revision", "key", "kind", "severity", "calendars", "cause", "sentence", "runbook")
    return {
        **{name: getattr(change, name) for name in plain},
        "id": change.alert_id,
        "well_since": change.well_since and change.well_since.isoformat(),
        "is_told": change.news is not None,
        "is_reminder": change.news == "reminder",
        "is_resolved": change.is_resolved,
    }
