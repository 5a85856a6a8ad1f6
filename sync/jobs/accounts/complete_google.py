"""The end of connecting through Google's consent page: the user who began it fetches what came back, and is connected.

A consent proves a Google account, and the handle proves the browser that consented; only the caller's JWT says who is
signed in to the app there. All three must be of one flow: else somebody could begin, have another person consent, and
read that person's meetings. First the flow, then the code, then the scopes, then the refresh token; nothing is
stored before all are good. Called by the web.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sync.core.accounts.oauth_flow import grants_all_asked, redirect_uri, secret_hash
from sync.errors import CalendarLost, ReconnectNeeded, SyncError, TokenUnreadable
from sync.jobs.accounts.connect_calendar import (
    PRIMARY,
    FreshGrant,
    NewConnection,
    ScopeMissing,
    UnknownCalendars,
    account_of,
    connect_grant,
)
from sync.jobs.accounts.connect_google import code_kind, verifier_kind
from sync.jobs.services import Services
from sync.model import Grant


class NotCompleted(SyncError):
    """Nothing is parked for this user under the handle. `code`: handle_used (or never given out) | handle_expired |
    handle_other_user, which spends it."""


class CodeRefused(SyncError):
    """Google does not take the code (any more)."""


class NoRefreshToken(SyncError):
    """Google gave none, and none that is good is stored."""


@dataclass(frozen=True, slots=True)
class _Parked:
    code: str
    verifier: str


def complete_flow(services: Services, user_id: str, handle: str) -> NewConnection:
    """Connects the user who began the flow; they are told of an account that is new to them. The handle is spent,
    whatever comes of it. Raises NotCompleted, CodeRefused, ScopeMissing, NoRefreshToken, and what `connect_grant`
    raises."""
    try:
        done = _complete(services, user_id, handle)
    except SyncError as failure:
        services.log.warning("connect_failed", user_id=user_id, error_code=failure.code)
        raise
    services.log.info("connect", user_id=user_id, calendars=len(done.calendars))
    return done


def _complete(services: Services, user_id: str, handle: str) -> NewConnection:
    parked = _take(services, user_id, handle)
    try:
        grant = services.consent.exchange(
            parked.code,
            verifier=parked.verifier,
            redirect_uri=redirect_uri(services.settings.webhook_base_urls),
            now=services.clock(),
        )
    except ReconnectNeeded as refused:
        raise CodeRefused("code_refused") from refused
    # Google always names the scopes of a code's tokens. What was granted in part is not revoked: that would end the
    # grant of an earlier, good connection too.
    if not grants_all_asked(grant.scopes):
        raise ScopeMissing("scope_missing")
    return _connect(services, user_id, grant)


def _take(services: Services, user_id: str, handle: str) -> _Parked:
    outcome, flow = services.store.flows.complete(secret_hash(handle), user_id, str(uuid.uuid4()))
    if flow is None:
        raise NotCompleted(f"handle_{outcome}")
    return _Parked(
        code=services.vault.open(user_id, code_kind(flow.nonce_hash), flow.code),
        verifier=services.vault.open(user_id, verifier_kind(flow.nonce_hash), flow.verifier),
    )


def _connect(services: Services, user_id: str, grant: Grant) -> NewConnection:
    connection = services.store.accounts.read(user_id)
    wanted = connection.active or [PRIMARY]
    refresh_token = grant.refresh_token
    if refresh_token is None and connection.is_connected and connection.tokens.refresh:
        refresh_token, grant = _stored_grant(services, user_id, connection.tokens.refresh, grant)
    if refresh_token is None:
        raise NoRefreshToken("no_refresh_token")
    try:
        return connect_grant(services, user_id, refresh_token, grant, wanted, tells=True)
    except UnknownCalendars as unknown:
        # Another Google account than before, or a calendar that they lost meanwhile.
        left = [calendar for calendar in wanted if calendar not in unknown.ids] or [PRIMARY]
        return connect_grant(services, user_id, refresh_token, grant, left, tells=True)


def _stored_grant(services: Services, user_id: str, stored: str, grant: Grant) -> tuple[str | None, Grant]:
    """Google sends no refresh token to a user who has given one: then the stored one goes on, if it still works and is
    of the account that was chosen now. Else (None, the new grant)."""
    try:
        plain = services.vault.open(user_id, "refresh", stored)
        known = services.tokens.grant_of(plain)
        if _account(services, user_id, known) != _account(services, user_id, grant):
            return None, grant
    except (ReconnectNeeded, TokenUnreadable, CalendarLost):
        return None, grant
    return plain, known


def _account(services: Services, user_id: str, grant: Grant) -> str | None:
    return account_of(services.calendar.list_calendars(FreshGrant(grant, services.quota, user_id)))
