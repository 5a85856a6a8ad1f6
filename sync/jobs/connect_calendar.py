"""Connects a user: tries the grant, stores it encrypted, watches his calendars, and asks for the first sync.

Nothing is stored before Google has accepted the refresh token and the calendars are known to be his. Watch first,
then list: a change between the two would otherwise be announced by nobody. Called by the web.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync.errors import CalendarLost, ReconnectNeeded, StoreRejected, SyncError
from sync.jobs.renew_watches import WatchOutcome, open_watches
from sync.jobs.services import Services
from sync.model import Grant

PRIMARY = "primary"
# Until the watch is opened (or has failed) nobody lists the calendar; if this process dies in between, it is listed
# then.
WATCH_FIRST_SECONDS = 60
FOREIGN_KEY_VIOLATION = "23503"


class UnknownUser(SyncError):
    """No such user in auth.users."""


class UnknownCalendars(SyncError):
    """Calendars that are not in the user's list; `ids` names them."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__("unknown_calendars", ", ".join(ids))
        self.ids = tuple(ids)


@dataclass(frozen=True, slots=True)
class Connected:
    """One connected calendar. `watch`: live | polled (and why it is not watched)."""

    calendar_id: str
    google_calendar_id: str
    watch: str
    expires_at: str | None
    reason: str | None


class _FreshGrant:
    """`Access` with a grant that is not stored yet."""

    def __init__(self, grant: Grant) -> None:
        self._grant = grant

    def token(self, *, fresh: bool = False) -> str:
        if fresh:
            raise ReconnectNeeded("access_token_refused")
        return self._grant.access_token


def connect_calendars(
    services: Services, user_id: str, refresh_token: str, google_calendar_ids: Sequence[str]
) -> list[Connected]:
    """Raises ReconnectNeeded (the grant is dead), UnknownCalendars, UnknownUser, and what passes (RetryLater,
    StoreFailure)."""
    grant = services.tokens.grant_of(refresh_token)
    wanted = _canonical(services, grant, list(dict.fromkeys(google_calendar_ids)) or [PRIMARY])
    try:
        ids = services.store.connect_calendars(
            user_id,
            wanted,
            services.tokens.seal(user_id, refresh_token, grant),
            grant.scopes,
            WATCH_FIRST_SECONDS,
        )
    except StoreRejected as refused:
        if refused.code == FOREIGN_KEY_VIOLATION:
            raise UnknownUser("unknown_user") from refused
        raise
    watches = {outcome.claim.calendar_id: outcome for outcome in open_watches(services, list(ids.values()))}
    return [_connected(google_id, calendar_id, watches.get(calendar_id)) for google_id, calendar_id in ids.items()]


def _canonical(services: Services, grant: Grant, wanted: list[str]) -> list[str]:
    """Google's ids with the primary calendar under its alias: under two names it would be two calendars.

    Other calendars must be in the user's list. Where the grant does not let us read the list, they are taken as they
    are.
    """
    if wanted == [PRIMARY]:
        return wanted
    try:
        listed = services.calendar.list_calendars(_FreshGrant(grant))
    except (ReconnectNeeded, CalendarLost):
        return wanted
    aliases = {entry["id"]: PRIMARY if entry.get("primary") else entry["id"] for entry in listed}
    unknown = [calendar for calendar in wanted if calendar != PRIMARY and calendar not in aliases]
    if unknown:
        raise UnknownCalendars(unknown)
    return list(dict.fromkeys(aliases.get(calendar, calendar) for calendar in wanted))


def _connected(google_id: str, calendar_id: str, watch: WatchOutcome | None) -> Connected:
    if watch is None:
        # Nothing to open: its channel is live and far from lapsing.
        return Connected(calendar_id, google_id, "live", None, None)
    if watch.channel is None:
        return Connected(calendar_id, google_id, "polled", None, watch.error_code)
    return Connected(calendar_id, google_id, "live", watch.channel.expires_at.isoformat(), None)
