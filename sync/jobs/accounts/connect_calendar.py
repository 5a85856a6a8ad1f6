"""Connects a user: tries the grant, stores it encrypted, watches their calendars, and asks for the first sync.

Nothing is stored before Google has accepted the refresh token and the calendars are known to be theirs. Watch first,
then list: a change between the two would otherwise be announced by nobody. Called by the web, `complete_google` and
`choose_calendars`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.clients.store import Connection
from sync.core.accounts.oauth_flow import connected_notice, reads_events
from sync.core.polling.purse import Lane
from sync.errors import CalendarLost, GoogleFailure, ReconnectNeeded, RetryLater, StoreRejected, SyncError
from sync.jobs.quota_in_force import QuotaInForce
from sync.jobs.services import Services
from sync.jobs.watching.renew_watches import CALENDAR_LEFT, WatchOutcome, open_watches
from sync.model import Grant
from sync.states import Watch

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


class TooManyCalendars(SyncError):
    """More than MAX_CALENDARS_PER_USER would be watched."""


class ScopeMissing(ReconnectNeeded):
    """The user granted something, but not what lets us read events."""


@dataclass(frozen=True, slots=True)
class Connected:
    """One connected calendar. `reason`: why it is only polled."""

    calendar_id: str
    google_calendar_id: str
    watch: Watch
    expires_at: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What connecting came to. `google_account`: its address, if Google told."""

    google_account: str | None
    calendars: tuple[Connected, ...]


class FreshGrant:
    """`Access` with a grant that is not stored yet. A person waits for it."""

    is_waited_for = True

    def __init__(self, grant: Grant, quota: QuotaInForce, user_id: str) -> None:
        self._grant = grant
        self._quota = quota
        self._user_id = user_id

    def token(self, *, fresh: bool = False) -> str:
        if fresh:
            # Google has just given it: a 401 can only be a passing fault.
            raise RetryLater("access_token_refused")
        self._quota.take(Lane.PERSON, self._user_id)
        return self._grant.access_token

    def answered(self, failure: GoogleFailure | None) -> None:
        self._quota.answered(Lane.PERSON, self._user_id, failure)


def connect_calendars(
    services: Services,
    user_id: str,
    refresh_token: str,
    google_calendar_ids: Sequence[str],
    *,
    tells: bool = False,
) -> NewConnection:
    """`tells`: the user is told of an account that is new to them. Raises ReconnectNeeded (the grant is dead),
    ScopeMissing, UnknownCalendars, UnknownUser, and what passes (RetryLater, StoreFailure)."""
    grant = services.tokens.grant_of(refresh_token)
    if grant.scopes and not reads_events(grant.scopes):
        raise ScopeMissing("scope_missing")
    return connect_grant(services, user_id, refresh_token, grant, google_calendar_ids, tells=tells)


def connect_grant(
    services: Services,
    user_id: str,
    refresh_token: str,
    grant: Grant,
    google_calendar_ids: Sequence[str],
    *,
    tells: bool,
) -> NewConnection:
    """The same with a grant that Google has just given for the refresh token, and whose scopes are known to do."""
    wanted = list(dict.fromkeys(google_calendar_ids)) or [PRIMARY]
    listed = _listed(services, user_id, grant, needed=wanted != [PRIMARY])
    # Where the grant does not let us read the user's list, ids are taken as they are.
    wanted = wanted if listed is None else canonical_ids(listed, wanted)
    refuse_too_many(services, services.store.accounts.read(user_id), wanted)
    account = account_of(listed or ())
    try:
        ids = services.store.connections.connect(
            user_id,
            wanted,
            services.tokens.seal(user_id, refresh_token, grant),
            grant.scopes,
            WATCH_FIRST_SECONDS,
            account,
            services.settings.google_client_id,
            connected_notice(account) if tells else None,
        )
    except StoreRejected as refused:
        if refused.code == FOREIGN_KEY_VIOLATION:
            raise UnknownUser("unknown_user") from refused
        raise
    return NewConnection(account, tuple(watch_connected(services, user_id, ids)))


def refuse_too_many(services: Services, connection: Connection, wanted: Sequence[str]) -> None:
    """Raises TooManyCalendars if more would be watched than one user may have. One call of a user runs at a time."""
    watched = {calendar.google_calendar_id for calendar in connection.calendars if calendar.is_active}
    new = set(wanted) - watched
    if new and len(watched) + len(new) > services.settings.max_calendars_per_user:
        raise TooManyCalendars("too_many_calendars", str(services.settings.max_calendars_per_user))


def watch_connected(services: Services, user_id: str, ids: Mapping[str, str]) -> list[Connected]:
    """Opens the watches of a user's calendars ({Google's id: ours}) that were just taken into watching. A second name
    of the primary calendar is found out by its channel: then the primary one is answered."""
    # The primary calendar first: then it is the other name that is let go at once.
    first = sorted(ids, key=lambda google_id: google_id != PRIMARY)
    watches = {outcome.claim.calendar_id: outcome for outcome in open_watches(services, [ids[each] for each in first])}
    connected = {google_id: _connected(google_id, ids[google_id], watches.get(ids[google_id])) for google_id in ids}
    left = [google_id for google_id, calendar in connected.items() if calendar.reason == CALENDAR_LEFT]
    if left:
        own = services.store.accounts.read(user_id)
        active = {calendar.google_calendar_id: calendar for calendar in own.calendars if calendar.is_active}
        if PRIMARY in active and PRIMARY not in connected:
            connected[PRIMARY] = Connected(active[PRIMARY].calendar_id, PRIMARY, Watch.LIVE, None, None)
        connected = {google_id: calendar for google_id, calendar in connected.items() if google_id in active}
    return list(connected.values())


def _listed(services: Services, user_id: str, grant: Grant, *, needed: bool) -> list[dict[str, Any]] | None:
    """The user's list, if their grant lets us read it. Not `needed`: nor if Google does not answer now."""
    try:
        return services.calendar.list_calendars(FreshGrant(grant, services.quota, user_id))
    except (ReconnectNeeded, CalendarLost):
        return None
    except GoogleFailure:
        if needed:
            raise
        return None


def account_of(listed: Sequence[Mapping[str, Any]]) -> str | None:
    """The address of the account whose list this is: its primary calendar's id."""
    return next((str(entry["id"]) for entry in listed if entry.get("primary")), None)


def canonical_ids(listed: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> list[str]:
    """Google's ids with the primary calendar under its alias: under two names it would be two calendars.

    Other calendars must be in the user's list. Raises UnknownCalendars.
    """
    aliases = {entry["id"]: PRIMARY if entry.get("primary") else entry["id"] for entry in listed}
    unknown = [calendar for calendar in wanted if calendar != PRIMARY and calendar not in aliases]
    if unknown:
        raise UnknownCalendars(unknown)
    return list(dict.fromkeys(aliases.get(calendar, calendar) for calendar in wanted))


def _connected(google_id: str, calendar_id: str, watch: WatchOutcome | None) -> Connected:
    if watch is None:
        # Nothing to open: its channel is live and far from lapsing.
        return Connected(calendar_id, google_id, Watch.LIVE, None, None)
    if watch.channel is None:
        return Connected(calendar_id, google_id, Watch.POLLED, None, watch.error_code)
    return Connected(calendar_id, google_id, Watch.LIVE, watch.channel.expires_at.isoformat(), None)
