"""Connecting through Google's consent page: the way there, and what comes of the way back.

There: a signed state, used once, within ten minutes, by the user it was made for; a PKCE verifier that nobody else
holds. Back: the state first, then the code, then the scopes, then the refresh token; nothing is stored before all are
good. Called by the web.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sync.core.accounts.oauth_flow import (
    FlowState,
    code_challenge,
    consent_url,
    grants_all_asked,
    nonce_hash,
    read_state,
    sign_state,
    with_result,
)
from sync.errors import (
    CalendarLost,
    ReconnectNeeded,
    RequestRejected,
    RetryLater,
    StoreRejected,
    StoreUnavailable,
    SyncError,
    TokenUnreadable,
)
from sync.jobs.accounts.connect_calendar import (
    FOREIGN_KEY_VIOLATION,
    PRIMARY,
    Connected,
    FreshGrant,
    UnknownCalendars,
    UnknownUser,
    account_of,
    connect_grant,
)
from sync.jobs.services import Services
from sync.model import Grant

CALLBACK_PATH = "/connect/google/callback"
# Google's consent takes a minute; with a password to look up, some more. A code lives as long.
FLOW_SECONDS = 600


class ConnectNotConfigured(SyncError):
    """CONNECT_REDIRECT_URLS is not set, so nobody could be sent back."""


class RedirectNotAllowed(SyncError):
    """The URL to return to is not on the list."""


class StateInvalid(SyncError):
    """The state is none of ours: nothing in it can be trusted, not even where to send the user."""


@dataclass(frozen=True, slots=True)
class FlowEnd:
    """Where the user's browser goes, and what was connected. `result`: the code that the URL carries."""

    redirect_to: str
    result: str
    connected: tuple[Connected, ...] = ()


def begin_flow(
    services: Services,
    user_id: str,
    redirect_to: str | None,
    *,
    login_hint: str | None,
    email: str | None,
    force_consent: bool,
) -> str:
    """The URL of Google's consent page for this user. Suggests the account they name, else the one they connected
    before, else the one of their `email`. Raises ConnectNotConfigured, RedirectNotAllowed, UnknownUser,
    StoreFailure."""
    settings = services.settings
    allowed = settings.connect_redirect_urls
    if not allowed:
        raise ConnectNotConfigured("connect_not_configured")
    if redirect_to is not None and redirect_to not in allowed:
        raise RedirectNotAllowed("redirect_not_allowed")
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    state = FlowState(nonce, user_id, redirect_to or allowed[0], services.clock() + dt.timedelta(seconds=FLOW_SECONDS))
    hashed = nonce_hash(nonce)
    sealed = services.vault.seal(user_id, _verifier_kind(hashed), verifier)
    try:
        services.store.flows.begin(hashed, user_id, sealed, FLOW_SECONDS)
    except StoreRejected as refused:
        if refused.code == FOREIGN_KEY_VIOLATION:
            raise UnknownUser("unknown_user") from refused
        raise
    connection = services.store.accounts.read(user_id)
    return consent_url(
        settings.google_auth_uri,
        client_id=settings.google_client_id,
        redirect_uri=_redirect_uri(services),
        state=sign_state(settings.channel_token_secrets[0], state),
        challenge=code_challenge(verifier),
        login_hint=login_hint or connection.google_account or email,
        ask_consent=force_consent or not connection.is_connected,
    )


def finish_flow(services: Services, state_text: str, code: str | None, error: str | None) -> FlowEnd:
    """The user came back with a code or an error. Raises StateInvalid; everything else is a result."""
    settings = services.settings
    state = read_state(settings.channel_token_secrets, state_text)
    if state is None or state.redirect_to not in (settings.connect_redirect_urls or ()):
        raise StateInvalid("state_invalid")
    connected: Sequence[Connected] = ()
    try:
        result, connected = _finish(services, state, code, error)
    except SyncError as failure:
        result = _result_of(failure)
        services.log.warning("connect_failed", user_id=state.user_id, result=result, error_code=failure.code)
    except Exception as bug:
        result = "failed"
        services.log.exception("connect_bug", user_id=state.user_id, error=type(bug).__name__)
    services.log.info("connect", user_id=state.user_id, result=result, calendars=len(connected))
    return FlowEnd(with_result(state.redirect_to, result), result, tuple(connected))


def _finish(
    services: Services, state: FlowState, code: str | None, error: str | None
) -> tuple[str, Sequence[Connected]]:
    if state.is_expired(services.clock()):
        return "state_expired", ()
    hashed = nonce_hash(state.nonce)
    outcome, sealed = services.store.flows.take(hashed, state.user_id, str(uuid.uuid4()))
    if outcome != "ok" or sealed is None:
        return f"state_{outcome}", ()
    if error or not code:
        return ("access_denied" if error == "access_denied" else "google_refused"), ()
    try:
        grant = services.consent.exchange(
            code,
            verifier=services.vault.open(state.user_id, _verifier_kind(hashed), sealed),
            redirect_uri=_redirect_uri(services),
            now=services.clock(),
        )
    except ReconnectNeeded:
        return "code_refused", ()
    # Google always names the scopes of a code's tokens. What was granted in part is not revoked: that would end the
    # grant of an earlier, good connection too.
    if not grants_all_asked(grant.scopes):
        return "scope_missing", ()
    return _connect(services, state.user_id, grant)


def _connect(services: Services, user_id: str, grant: Grant) -> tuple[str, Sequence[Connected]]:
    connection = services.store.accounts.read(user_id)
    wanted = connection.active or [PRIMARY]
    refresh_token = grant.refresh_token
    if refresh_token is None and connection.is_connected and connection.tokens.refresh:
        refresh_token, grant = _stored_grant(services, user_id, connection.tokens.refresh, grant)
    if refresh_token is None:
        return "no_refresh_token", ()
    try:
        return "connected", connect_grant(services, user_id, refresh_token, grant, wanted)
    except UnknownCalendars as unknown:
        # Another Google account than before, or a calendar that they lost meanwhile.
        left = [calendar for calendar in wanted if calendar not in unknown.ids] or [PRIMARY]
        return "connected", connect_grant(services, user_id, refresh_token, grant, left)


def _stored_grant(services: Services, user_id: str, stored: str, grant: Grant) -> tuple[str | None, Grant]:
    """Google sends no refresh token to a user who has given one: then the stored one goes on, if it still works and is
    of the account that was chosen now. Else (None, the new grant)."""
    try:
        plain = services.vault.open(user_id, "refresh", stored)
        known = services.tokens.grant_of(plain)
        if _account(services, known) != _account(services, grant):
            return None, grant
    except (ReconnectNeeded, TokenUnreadable, CalendarLost):
        return None, grant
    return plain, known


def _account(services: Services, grant: Grant) -> str | None:
    return account_of(services.calendar.list_calendars(FreshGrant(grant)))


def _result_of(failure: SyncError) -> str:
    if isinstance(failure, RetryLater | StoreUnavailable):
        return "try_again"
    if isinstance(failure, ReconnectNeeded):
        return "grant_refused"
    return "service_refused" if isinstance(failure, RequestRejected) else "failed"


def _redirect_uri(services: Services) -> str:
    """One for all regions: Google knows a client's redirect URIs by heart."""
    return next(iter(services.settings.webhook_base_urls.values())) + CALLBACK_PATH


def _verifier_kind(hashed: str) -> str:
    """Binds a verifier's ciphertext to its flow, as its user is bound already."""
    return f"pkce:{hashed}"
