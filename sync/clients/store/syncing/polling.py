"""What all calendars together tell, what a poll may cost, and what was spent. SQL: polling."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sync.clients.store.rpc import Rpc
from sync.model import PollingState


class PollingCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def read(self, day: dt.date) -> PollingState:
        (row,) = self._rpc.rows("read_polling_plan", p_day=day.isoformat())
        return PollingState(
            row["plan"] or {},
            row["polls_today"],
            row["requests_today"],
            row["requests_this_month"],
            row["requests_yesterday"],
        )

    def report(
        self,
        day: dt.date,
        *,
        polls: float,
        requests: float,
        refused: float,
        waited: float,
        deaths: float,
        channel_days: float,
        changes: Sequence[float],
        hours: Sequence[float],
    ) -> None:
        """Adds what this process has counted."""
        self._rpc.call(
            "report_polling",
            p_day=day.isoformat(),
            p_polls=polls,
            p_requests=requests,
            p_refused=refused,
            p_waited=waited,
            p_deaths=deaths,
            p_channel_days=channel_days,
            p_changes=list(changes),
            p_hours=list(hours),
        )

    def price(
        self,
        price_seconds: float,
        calls_per_day: float | None,
        polls_priced: float,
        *,
        today: float,
        month: float,
        exhausted_in_days: float | None,
    ) -> None:
        """The price, what it follows, and what is forecast with it."""
        self._rpc.call(
            "price_polling",
            p_price_seconds=price_seconds,
            p_calls_per_day=calls_per_day,
            p_polls_priced=polls_priced,
            p_forecast_today=today,
            p_forecast_month=month,
            p_exhausted_in_days=exhausted_in_days,
        )

    def count_late(self, late_seconds: float, *, limit: int) -> int:
        """Polls that have been due for so long, counted to `limit`."""
        return int(self._rpc.call("count_late_polls", p_late_seconds=late_seconds, p_limit=limit))

    def spread_late(self, late_seconds: float, over_seconds: float, *, limit: int) -> int:
        """How many of them were put off, evenly over this time; those that somebody waits for are not."""
        return int(
            self._rpc.call("spread_late_polls", p_late_seconds=late_seconds, p_over_seconds=over_seconds, p_limit=limit)
        )

    def count_calendars(
        self, start: str, *, limit: int, least_days: float, least_changes: float, poor_recall: float, fading: float
    ) -> int:
        """How many were counted, from this id on."""
        counted = self._rpc.call(
            "count_calendars",
            p_from=start,
            p_limit=limit,
            p_least_days=least_days,
            p_least_changes=least_changes,
            p_poor_recall=poor_recall,
            p_fading=fading,
        )
        return int(counted)
