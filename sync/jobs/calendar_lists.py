"""Users' calendar lists, kept between two looks: the next one asks Google only for what has changed since.

Each look asks: a list is never older than its answer, and what is kept spares pages, not requests. A list belongs to
the grant it was read with: a reconnection, perhaps with another Google account, reads its own. Called by
`accounts/choose_calendars`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sync.clients.cache import Cache
from sync.clients.google.calendar import Access, GoogleCalendar
from sync.model import CalendarList

# Entries of all kept lists together, some hundred bytes each.
MOST_ENTRIES = 20_000
KEPT_SECONDS = 3600.0
# What anybody asks of an entry.
_FIELDS = frozenset({"id", "summary", "summaryOverride", "primary", "accessRole", "timeZone"})


@dataclass(frozen=True, slots=True)
class _Kept:
    listed: CalendarList
    stored_refresh_token: str


class CalendarLists:
    """Thread-safe; one per process."""

    def __init__(self, calendar: GoogleCalendar, monotonic: Callable[[], float]) -> None:
        self._calendar = calendar
        self._cache: Cache[str, _Kept] = Cache(
            "calendar_lists",
            MOST_ENTRIES,
            ends=lambda _kept, now: now + KEPT_SECONDS,
            clock=monotonic,
            weigh=lambda kept: 1 + len(kept.listed.entries),
        )

    def of(self, user_id: str, access: Access, stored_refresh_token: str | None) -> list[dict[str, Any]]:
        """The list as it is now. Raises what Google's answers come to."""
        kept = self._cache.get(user_id, lambda kept: kept.stored_refresh_token == stored_refresh_token)
        listed = self._calendar.calendar_list(access, kept.listed if kept else None)
        if listed.sync_token and stored_refresh_token:
            spare = tuple({name: entry[name] for name in _FIELDS & entry.keys()} for entry in listed.entries)
            self._cache.put(user_id, _Kept(dataclasses.replace(listed, entries=spare), stored_refresh_token))
        else:
            self._cache.forget(user_id)
        return list(listed.entries)

    def forget(self, user_id: str) -> None:
        """The user has left."""
        self._cache.forget(user_id)
