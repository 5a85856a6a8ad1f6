"""A user's connection as a whole: what they have, what they add and remove, how they leave. SQL: accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.model import DeadChannel, SealedTokens
from sync.states import ConnectionStatus, InitialSync


@dataclass(frozen=True, slots=True)
class OwnCalendar:
    """One of a user's calendars. `is_live`: a channel speaks for it; else `unwatched_reason`, if one is known."""

    calendar_id: str
    google_calendar_id: str
    is_active: bool
    is_live: bool
    unwatched_reason: str | None
    initial_sync: InitialSync
    initial_events: int
    initial_meetings: int


@dataclass(frozen=True, slots=True)
class Connection:
    """`status` None: never connected. `google_account`: its address, if the grant let us read it."""

    status: ConnectionStatus | None
    google_account: str | None
    tokens: SealedTokens
    calendars: tuple[OwnCalendar, ...]

    @property
    def is_connected(self) -> bool:
        return self.status is ConnectionStatus.CONNECTED and self.tokens.refresh is not None

    @property
    def active(self) -> list[str]:
        """Google's ids of the calendars that are watched."""
        return [calendar.google_calendar_id for calendar in self.calendars if calendar.is_active]


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is still to be done at Google for a user who leaves. `calendars`: watched until now."""

    calendars: int
    tokens: SealedTokens
    channels: tuple[DeadChannel, ...]


_NO_TOKENS = {"access_token": None, "access_token_expires_at": None, "refresh_token": None}


class AccountCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def read(self, user_id: str) -> Connection:
        found = self._rpc.call("read_connection", p_user_id=user_id)
        row = found["connection"] or {"status": None, "google_account": None, **_NO_TOKENS}
        calendars = tuple(
            OwnCalendar(**{**calendar, "initial_sync": InitialSync(calendar["initial_sync"])})
            for calendar in found["calendars"]
        )
        status = rows.maybe(ConnectionStatus, row["status"])
        return Connection(status, row["google_account"], rows.tokens(row), calendars)

    def add_calendars(self, user_id: str, google_calendar_ids: Sequence[str], watch_seconds: int) -> dict[str, str]:
        """{Google's calendar id: our calendar id}; {} for a user who is not connected."""
        found = self._rpc.rows(
            "add_calendars",
            p_user_id=user_id,
            p_google_calendar_ids=list(google_calendar_ids),
            p_watch_seconds=watch_seconds,
        )
        return {row["google_calendar_id"]: row["calendar_id"] for row in found}

    def remove_calendars(
        self, user_id: str, google_calendar_ids: Sequence[str], meetings: str
    ) -> tuple[list[str], list[str]]:
        """(Google's ids of those they have or had, ids of channels to stop). `meetings`: keep | delete."""
        answer = self._rpc.call(
            "remove_calendars",
            p_user_id=user_id,
            p_google_calendar_ids=list(google_calendar_ids),
            p_meetings=meetings,
        )
        return answer["calendars"], answer["channels"]

    def begin_disconnect(self, user_id: str, meetings: str) -> Leaving:
        """`meetings`: keep | delete. The same answer again until `finish_disconnect`."""
        answer = self._rpc.call("begin_disconnect", p_user_id=user_id, p_meetings=meetings)
        tokens = rows.tokens(answer["tokens"] or _NO_TOKENS)
        channels = tuple(
            DeadChannel(channel["channel_id"], channel["resource_id"], user_id, tokens)
            for channel in answer["channels"]
        )
        return Leaving(answer["calendars"], tokens, channels)

    def finish_disconnect(self, user_id: str) -> bool:
        """False: the user has connected again meanwhile, or never had."""
        return bool(self._rpc.call("finish_disconnect", p_user_id=user_id))

    def unfinished_disconnects(self, after_seconds: int, limit: int) -> list[str]:
        found = self._rpc.rows("unfinished_disconnects", p_after_seconds=after_seconds, p_limit=limit)
        return [row["user_id"] for row in found]

    def erase_user(self, user_id: str) -> dict[str, int]:
        """{table: rows deleted}."""
        counts: dict[str, int] = self._rpc.call("erase_user", p_user_id=user_id)
        return counts

    def export_user(self, user_id: str, table: str, after: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """A page of a table's rows, and where the next one begins; None after the last."""
        answer = self._rpc.call("export_user", p_user_id=user_id, p_table=table, p_after=after, p_limit=limit)
        return answer["rows"], answer["last"] if len(answer["rows"]) == limit else None
