"""Figures of all calendars: folding and counting them, and reading them. SQL: overview."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sync.clients.store.rpc import Rpc


class OverviewCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def fold(self, limit: int) -> int:
        """Folds logs into rollups: five minutes folded, `limit` times at most. Fewer: it is up to date."""
        return int(self._rpc.call("fold_sync_logs", p_limit=limit))

    def fold_idle(self, keep_days: int, limit: int) -> tuple[int, int]:
        """(rows looked at, rows dropped) of one step over old logs. Once: a step that was done need not be known."""
        (row,) = self._rpc.once("fold_idle_logs", {"p_keep_days": keep_days, "p_limit": limit})
        return row["seen"], row["dropped"]

    def count(self, limit: int) -> float:
        """One step of the census. Seconds to the next; 0: it is under way."""
        return float(self._rpc.call("count_census", p_limit=limit))

    def read(self) -> dict[str, Any]:
        """How the service stands: see `service_overview` in docs/sql.md."""
        found: dict[str, Any] = self._rpc.call("service_overview")
        return found

    def figures(self) -> dict[str, Any]:
        """For Prometheus: {overview, quota, alerts}, see `service_figures` in docs/sql.md. Asked once: the next scrape
        asks again. Raises StoreFailure."""
        found: dict[str, Any] = self._rpc.once("service_figures", {})
        return found

    def failure_causes(self, hours: int) -> list[dict[str, Any]]:
        """[{cause, failures, first_at, last_at, calendars}], the most frequent first."""
        found: list[dict[str, Any]] = self._rpc.call("failure_causes", p_hours=hours)
        return found

    def timeline(self, calendar_id: str, before: tuple[dt.datetime, str] | None, limit: int) -> list[dict[str, Any]]:
        """[{at, key, kind, reason, details}], the newest first, before the (at, key) of the last page's end."""
        at, key = before or (None, "")
        found: list[dict[str, Any]] = self._rpc.call(
            "calendar_timeline",
            p_calendar_id=calendar_id,
            p_before=at.isoformat() if at else "infinity",
            p_before_key=key,
            p_limit=limit,
        )
        return found

    def calendars(
        self,
        *,
        user_id: str | None = None,
        account: str | None = None,
        states: Sequence[str] | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of calendars, as `calendar_status` has them, and the id to ask on from; None: there are no more.
        `account`: how the Google account's address begins."""
        found = self._rpc.call(
            "list_calendars",
            p_user_id=user_id,
            p_account=account,
            p_states=list(states) if states is not None else None,
            p_after=after,
            p_limit=limit,
        )
        return found["calendars"], found["next"]
