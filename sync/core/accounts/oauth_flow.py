"""The rules of connecting through Google's consent page: the signed state, PKCE, the consent URL, the granted scopes.

Pure: nonces, verifiers and the time are passed in. Called by `connect_google`, `complete_google` and
`connect_calendar` of `jobs/accounts`. Sources: RFC 6749 10.12 (state), RFC 7636 (PKCE), Google's guide "Using OAuth
2.0 for Web Server Applications".
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_AUTH = "https://www.googleapis.com/auth/"
# The least that lists events and lets a user choose among their calendars.
ASKED_SCOPES = (f"{_AUTH}calendar.events.readonly", f"{_AUTH}calendar.calendarlist.readonly")
# Any one of each group will do: a front end that signs users in with Google may have asked for more.
EVENTS_SCOPES = frozenset(
    f"{_AUTH}{name}" for name in ("calendar.events.readonly", "calendar.events", "calendar.readonly", "calendar")
)
LIST_SCOPES = frozenset(
    f"{_AUTH}{name}"
    for name in ("calendar.calendarlist.readonly", "calendar.calendarlist", "calendar.readonly", "calendar")
)
CALLBACK_PATH = "/connect/google/callback"
# Sets these signatures apart from the channel tokens that the same secrets sign.
_DOMAIN = b"connect-google state v1\x00"
_RESULT = "result"
_UNDO = (
    "If this was not your wish, disconnect it in the app, or take its access away at "
    "https://myaccount.google.com/connections."
)


@dataclass(frozen=True, slots=True)
class FlowState:
    """What travels to Google and back: who connects, where they return to, and until when. `nonce` is used once."""

    nonce: str
    user_id: str
    redirect_to: str
    expires_at: dt.datetime

    def is_expired(self, now: dt.datetime) -> bool:
        return now >= self.expires_at


def sign_state(secret: str, state: FlowState) -> str:
    """The state parameter: URL-safe base64 of its JSON, a dot, and the signature over it."""
    fields = {
        "n": state.nonce,
        "u": state.user_id,
        "r": state.redirect_to,
        "e": int(state.expires_at.timestamp()),
    }
    payload = _base64(json.dumps(fields, separators=(",", ":")).encode())
    return f"{payload}.{_signature(secret, payload)}"


def read_state(secrets: Sequence[str], text: str) -> FlowState | None:
    """The state that one of our secrets signed; None for any other text. Says nothing of its age or first use."""
    payload, _, signature = text.partition(".")
    given = signature.encode("utf-8", "replace")
    # Every secret is tried, whatever the earlier ones gave.
    matches = [hmac.compare_digest(_signature(secret, payload).encode(), given) for secret in secrets]
    if not any(matches):
        return None
    try:
        fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expires_at = dt.datetime.fromtimestamp(fields["e"], tz=dt.UTC)
        return FlowState(str(fields["n"]), str(fields["u"]), str(fields["r"]), expires_at)
    except (binascii.Error, ValueError, LookupError, TypeError, OverflowError):
        return None


def secret_hash(secret: str) -> str:
    """How a nonce or a handle is stored: who reads the table cannot use what they find."""
    return hashlib.sha256(secret.encode()).hexdigest()


def code_challenge(verifier: str) -> str:
    """PKCE's S256."""
    return _base64(hashlib.sha256(verifier.encode()).digest())


def consent_url(
    auth_uri: str,
    *,
    client_id: str,
    redirect_uri: str,
    state: str,
    challenge: str,
    login_hint: str | None,
    ask_consent: bool,
) -> str:
    """Google's consent page. `ask_consent` shows it also to a user who has consented before: only then comes a refresh
    token again.

    No `include_granted_scopes`: it would add to our token whatever else this user ever granted to the project.
    """
    parameters = {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": " ".join(ASKED_SCOPES),
        "state": state,
        "access_type": "offline",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if login_hint:
        parameters["login_hint"] = login_hint
    if ask_consent:
        parameters["prompt"] = "consent"
    joiner = "&" if urlsplit(auth_uri).query else "?"
    return f"{auth_uri}{joiner}{urlencode(parameters)}"


def redirect_uri(base_urls: Mapping[str, str]) -> str:
    """One for all regions: Google knows a client's redirect URIs by heart."""
    return next(iter(base_urls.values())) + CALLBACK_PATH


def reads_events(granted: Iterable[str]) -> bool:
    """Whether these scopes let us list events."""
    return not EVENTS_SCOPES.isdisjoint(granted)


def grants_all_asked(granted: Iterable[str]) -> bool:
    """Whether the user left everything ticked that the consent page asked for."""
    scopes = frozenset(granted)
    return reads_events(scopes) and not LIST_SCOPES.isdisjoint(scopes)


def connected_notice(address: str | None) -> str:
    """What is said of a new connection: to its user, and by mail to whoever's Google account it is."""
    whose = f"The Google Calendar of {address}" if address else "A Google Calendar"
    return f"{whose} was connected; its meetings are read from now on. {_UNDO}"


def with_result(redirect_to: str, result: str) -> str:
    """The app's URL with `result=…` in its query, before any fragment; everything else stays as it is."""
    parts = urlsplit(redirect_to)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != _RESULT]
    return urlunsplit(parts._replace(query=urlencode([*kept, (_RESULT, result)])))


def with_handle(url: str, handle: str) -> str:
    """The URL with `handle=…` in its fragment, which browsers send to no server: it is in no log and in no referrer.
    After a fragment that the app has of its own it is that one's query, as apps with such routes read it."""
    parts = urlsplit(url)
    joiner = "" if not parts.fragment else "&" if "?" in parts.fragment else "?"
    return urlunsplit(parts._replace(fragment=f"{parts.fragment}{joiner}handle={handle}"))


def _signature(secret: str, payload: str) -> str:
    signed = _DOMAIN + payload.encode("utf-8", "replace")
    return _base64(hmac.digest(secret.encode(), signed, hashlib.sha256))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
