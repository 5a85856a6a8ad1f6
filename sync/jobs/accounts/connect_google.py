"""Connecting through Google's consent page: the way there, and what is kept of the way back.

There: a signed state, used once, within ten minutes; a PKCE verifier that nobody else holds. Back: whoever holds the
link can have come back, so the code is only parked, encrypted, under a handle that this browser alone is given.
`complete_google` goes on from there, for the user who began. Called by the web.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from dataclasses import dataclass

from sync.core.accounts.oauth_flow import (
    FlowState,
    code_challenge,
    consent_url,
    read_state,
    redirect_uri,
    secret_hash,
    sign_state,
    with_handle,
    with_result,
)
from sync.errors import StoreRejected, SyncError
from sync.jobs.accounts.connect_calendar import FOREIGN_KEY_VIOLATION, UnknownUser
from sync.jobs.services import Services

# Google's consent takes a minute; with a password to look up, some more. A code lives as long.
FLOW_SECONDS = 600
# The app's page completes it as soon as it has loaded; signing in again first takes a while.
COMPLETE_SECONDS = 300
CONSENTED = "consented"


class ConnectNotConfigured(SyncError):
    """CONNECT_REDIRECT_URLS is not set, so nobody could be sent back."""


class RedirectNotAllowed(SyncError):
    """The URL to return to is not on the list."""


class StateInvalid(SyncError):
    """The state is none of ours: nothing in it can be trusted, not even where to send the user."""


@dataclass(frozen=True, slots=True)
class FlowEnd:
    """Where the browser goes. `result`: the code that the URL carries. `is_taken`: the state was good, and is spent
    now."""

    redirect_to: str
    result: str
    is_taken: bool


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
    hashed = secret_hash(nonce)
    sealed = services.vault.seal(user_id, verifier_kind(hashed), verifier)
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
        redirect_uri=redirect_uri(settings.webhook_base_urls),
        state=sign_state(settings.channel_token_secrets[0], state),
        challenge=code_challenge(verifier),
        login_hint=login_hint or connection.google_account or email,
        ask_consent=force_consent or not connection.is_connected,
    )


def park_return(services: Services, state_text: str, code: str | None, error: str | None) -> FlowEnd:
    """The browser came back with a code or an error. Nothing is connected: whose browser it is, nobody knows. Raises
    StateInvalid; everything else is a result."""
    state = read_state(services.settings.channel_token_secrets, state_text)
    if state is None or state.redirect_to not in (services.settings.connect_redirect_urls or ()):
        raise StateInvalid("state_invalid")
    handle = secrets.token_urlsafe(32) if code and not error else None
    try:
        outcome = _park(services, state, code, handle)
    except SyncError as failure:
        services.log.warning("return_not_parked", user_id=state.user_id, error_code=failure.code)
        return FlowEnd(with_result(state.redirect_to, "try_again"), "try_again", is_taken=False)
    result = _result(outcome, error, handle)
    services.log.info("consent", user_id=state.user_id, result=result)
    back = with_result(state.redirect_to, result)
    if handle and result == CONSENTED:
        back = with_handle(back, handle)
    return FlowEnd(back, result, is_taken=outcome == "ok")


def _park(services: Services, state: FlowState, code: str | None, handle: str | None) -> str:
    if state.is_expired(services.clock()):
        return "expired"
    hashed = secret_hash(state.nonce)
    sealed = services.vault.seal(state.user_id, code_kind(hashed), code) if code and handle else None
    return services.store.flows.park(
        hashed, state.user_id, str(uuid.uuid4()), secret_hash(handle) if handle else None, sealed, COMPLETE_SECONDS
    )


def _result(outcome: str, error: str | None, handle: str | None) -> str:
    if outcome != "ok":
        return f"state_{outcome}"
    if handle:
        return CONSENTED
    return "access_denied" if error == "access_denied" else "google_refused"


def verifier_kind(hashed: str) -> str:
    """Binds a verifier's ciphertext to its flow, as its user is bound already."""
    return f"pkce:{hashed}"


def code_kind(hashed: str) -> str:
    """The same for the code that came back."""
    return f"code:{hashed}"
