"""Push channels. SQL: watching."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.model import AdoptableChannel, DeadChannel, WatchClaim


class WatchCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def claim_expiring(
        self, *, limit: int, lease_seconds: int, calendar_ids: Sequence[str] | None = None
    ) -> list[WatchClaim]:
        claimed = self._rpc.rows(
            "claim_expiring_watches",
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_calendar_ids=list(calendar_ids) if calendar_ids is not None else None,
        )
        return [rows.watch_claim(row) for row in claimed]

    def release(self, claims: Sequence[WatchClaim]) -> None:
        """Gives claims back that nobody got to."""
        self._rpc.call("release_watches", p_calendar_ids=[claim.calendar_id for claim in claims])

    def due(self) -> int:
        """Watches that still wait to be opened or renewed, counted to 1000."""
        return int(self._rpc.call("watches_due"))

    def renew_moved(self, addresses: Sequence[str], *, delay_seconds: float, limit: int) -> int:
        """How many calendars' channels were found to point to none of these addresses; fewer than `limit`: all."""
        return int(
            self._rpc.call(
                "renew_moved_watches", p_addresses=list(addresses), p_delay_seconds=delay_seconds, p_limit=limit
            )
        )

    def retire_lost(self, *, after_seconds: float, limit: int) -> int:
        """How many calendars were given up that could not be read for so long; fewer than `limit`: all of them."""
        return int(self._rpc.call("retire_lost_calendars", p_after_seconds=after_seconds, p_limit=limit))

    def begin_channel(self, channel_id: str, calendar_id: str, address: str) -> bool:
        """False: the calendar is gone."""
        return bool(
            self._rpc.call("begin_channel", p_channel_id=channel_id, p_calendar_id=calendar_id, p_address=address)
        )

    def activate_channel(
        self, channel_id: str, resource_id: str, expires_at: dt.datetime, *, lead_seconds: float
    ) -> list[str]:
        """Ids of the earlier channels that are now to be stopped."""
        found = self._rpc.rows(
            "activate_channel",
            p_channel_id=channel_id,
            p_resource_id=resource_id,
            p_expires_at=expires_at.isoformat(),
            p_lead_seconds=lead_seconds,
        )
        return [row["channel_id"] for row in found]

    def fail_channel(self, channel_id: str, error_code: str, retry_seconds: float, *, is_outage: bool = False) -> None:
        """`is_outage`: Google answers nobody; not counted."""
        self._rpc.call(
            "fail_channel",
            p_channel_id=channel_id,
            p_error_code=error_code,
            p_retry_seconds=retry_seconds,
            p_is_outage=is_outage,
        )

    def adoptable_channels(
        self, *, abandoned_seconds: int, channel_ids: Sequence[str] | None = None
    ) -> list[AdoptableChannel]:
        """Channels that are taken for failed and yet speak, of calendars without a live one."""
        found = self._rpc.rows(
            "adoptable_channels",
            p_abandoned_seconds=abandoned_seconds,
            p_channel_ids=list(channel_ids) if channel_ids is not None else None,
        )
        return [
            AdoptableChannel(row["channel_id"], row["calendar_id"], row["resource_id"], rows.instant(row["expires_at"]))
            for row in found
        ]

    def claim_dead_channels(
        self, *, limit: int, lease_seconds: int, abandoned_seconds: int, channel_ids: Sequence[str] | None = None
    ) -> list[DeadChannel]:
        claimed = self._rpc.rows(
            "claim_dead_channels",
            p_limit=limit,
            p_lease_seconds=lease_seconds,
            p_abandoned_seconds=abandoned_seconds,
            p_channel_ids=list(channel_ids) if channel_ids is not None else None,
        )
        return [DeadChannel(row["channel_id"], row["resource_id"], row["user_id"], rows.tokens(row)) for row in claimed]

    def end_channel(self, channel_id: str, *, retry_seconds: float | None = None) -> None:
        self._rpc.call("end_channel", p_channel_id=channel_id, p_retry_seconds=retry_seconds)
