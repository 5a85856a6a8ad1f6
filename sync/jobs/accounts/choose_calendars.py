"""Which of their calendars a connected user has watched: their list with their state, more of them, fewer of them.

Called by the web.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sync.clients.store import Connection, OwnCalendar
from sync.core.polling.purse import Lane
from sync.errors import ReconnectNeeded, RetryLater, StoreFailure, SyncError
from sync.jobs.accounts.connect_calendar import (
    PRIMARY,
    WATCH_FIRST_SECONDS,
    Connected,
    UnknownCalendars,
    canonical_ids,
    refuse_too_many,
    watch_connected,
)
from sync.jobs.losing_access import record_refusal
from sync.jobs.services import Services
from sync.jobs.watching.renew_watches import stop_channels
from sync.states import ConnectionStatus, Standing, Watch


class NotConnected(SyncError):
    """The user has no working grant. `code`: not_connected | needs_reauth | disconnected."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One calendar of the user's list. `own`: ours, if they have it watched. `entry`: Google's; {} for a watched
    calendar that is not in their list any more."""

    google_calendar_id: str
    entry: dict[str, Any]
    own: OwnCalendar | None

    @property
    def watch(self) -> Watch:
        if self.own is None:
            return Watch.NONE
        return Watch.LIVE if self.own.is_live else Watch.POLLED


def list_choices(services: Services, user_id: str) -> list[Choice]:
    """Raises NotConnected, ReconnectNeeded (scope_missing: they did not grant the list), and what passes."""
    connection = _connection(services, user_id)
    own = {calendar.google_calendar_id: calendar for calendar in connection.calendars if calendar.is_active}
    choices = []
    for entry in _listed(services, user_id, connection):
        calendar_id = str(entry["id"])
        choices.append(Choice(calendar_id, entry, own.pop(PRIMARY if entry.get("primary") else calendar_id, None)))
    return choices + [Choice(calendar_id, {}, calendar) for calendar_id, calendar in own.items()]


def add_calendars(services: Services, user_id: str, google_calendar_ids: Sequence[str]) -> list[Connected]:
    """Raises NotConnected, UnknownCalendars, ReconnectNeeded, and what passes."""
    connection = _connection(services, user_id)
    wanted = list(dict.fromkeys(google_calendar_ids))
    if wanted != [PRIMARY]:
        wanted = canonical_ids(_listed(services, user_id, connection), wanted)
    refuse_too_many(services, connection, wanted)
    ids = services.store.accounts.add_calendars(user_id, wanted, WATCH_FIRST_SECONDS)
    if not ids:
        # They left between our two looks.
        raise NotConnected(ConnectionStatus.DISCONNECTED)
    return watch_connected(services, user_id, ids)


def remove_calendars(services: Services, user_id: str, google_calendar_ids: Sequence[str], meetings: str) -> list[str]:
    """Google's ids of the calendars that are watched no more, also of those that were not before. `meetings`: keep |
    delete. Raises UnknownCalendars, and what passes."""
    connection = services.store.accounts.read(user_id)
    wanted = list(dict.fromkeys(google_calendar_ids))
    had = {calendar.google_calendar_id for calendar in connection.calendars}
    if not had.issuperset(wanted) and connection.is_connected:
        # The primary calendar may be named by its address.
        wanted = canonical_ids(_listed(services, user_id, connection), wanted)
    unknown = [calendar for calendar in wanted if calendar not in had]
    if unknown:
        raise UnknownCalendars(unknown)
    removed, channels = services.store.accounts.remove_calendars(user_id, wanted, meetings)
    if channels:
        try:
            stop_channels(services, channels)
        except StoreFailure as unreachable:
            # They are marked; the next renewal stops them.
            services.log.warning("channels_not_stopped", error_code=unreachable.code)
    return removed


def _connection(services: Services, user_id: str) -> Connection:
    connection = services.store.accounts.read(user_id)
    if not connection.is_connected:
        lost = connection.status not in (None, ConnectionStatus.CONNECTED)
        raise NotConnected(str(connection.status) if lost else "not_connected")
    return connection


def _listed(services: Services, user_id: str, connection: Connection) -> list[dict[str, Any]]:
    try:
        access = services.tokens.of(user_id, connection.tokens, Lane.PERSON)
        return services.calendar_lists.of(user_id, access, connection.tokens.refresh)
    except ReconnectNeeded as dead:
        # Without the list's scope events may still be read: that grant is not lost.
        if dead.code == "scope_missing":
            raise
        if record_refusal(services, user_id, connection.tokens, dead) is Standing.CONFIRMED:
            raise
        raise RetryLater(dead.code) from dead
