"""Google's token endpoint: refreshing. google-auth does it; its errors become typed here.

Called by `jobs/access_tokens`; `clients/google/consent` asks the same endpoint for a user's first tokens. A dead grant
is told from a passing fault by the OAuth error code (RFC 6749 5.2), never by its text; time-outs and 5xx are never one.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import google.auth.exceptions
import google.oauth2.credentials
import google_auth_httplib2
import httplib2

from sync.clients.breakers import TOKEN_ENDPOINT, Breakers
from sync.clients.google.errors import breaker_of
from sync.clients.google.http_transport import ThreadHttp
from sync.clients.retry_after import retry_after_seconds
from sync.errors import GrantRefused, Misconfigured, RetryLater, TokenEndpointBusy
from sync.model import Grant
from sync.telemetry.metrics import GOOGLE_DURATION, GOOGLE_REQUESTS
from sync.telemetry.registry import observed

# What Google's OAuth guide calls ends of a grant: only the user's consent brings a new one.
DEAD_GRANT_CODES = frozenset(
    # invalid_token is the revocation endpoint's word for them.
    {"invalid_grant", "admin_policy_enforced", "invalid_rapt", "access_denied", "invalid_token"}
)
# The OAuth client itself, or what we ask with it, is refused: an operator's matter. Users' grants may be fine, also
# those of a deleted client: it can be restored.
CLIENT_CODES = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "deleted_client",
        "disabled_client",
        "org_internal",
        "redirect_uri_mismatch",
        "invalid_request",
        "unsupported_grant_type",
    }
)
# RFC 6749 4.1.2.1, and what Google adds: the endpoint's own trouble, whatever the status.
PASSING_CODES = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})
# RFC 6749 only recommends expires_in. Below Google's hour: too short costs a call, too long a refused one.
UNTOLD_LIFE_SECONDS = 1800
LONGEST_LIFE_SECONDS = 86_400


class GoogleOAuth:
    """Thread-safe; one per process."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        token_uri: str,
        clock: Callable[[], dt.datetime],
        breakers: Breakers | None = None,
    ) -> None:
        self._clock = clock
        self.client_id = client_id
        self._client_secret = client_secret
        self._token_uri = token_uri
        self._threads = ThreadHttp()
        self._breaker = breaker_of(breakers or Breakers(), TOKEN_ENDPOINT)

    def refuse_while_down(self) -> None:
        """For what would only prepare a refresh. Raises UpstreamDown."""
        self._breaker.refuse_while_down()

    def refresh(self, refresh_token: str) -> Grant:
        """A new access token. Raises GrantRefused, Misconfigured (our OAuth client), RetryLater."""
        return self._breaker.call(lambda: self._observed(refresh_token), subject=hash(refresh_token))

    def _observed(self, refresh_token: str) -> Grant:
        with observed(GOOGLE_REQUESTS, GOOGLE_DURATION, "oauth2.refresh"):
            return self._refresh(refresh_token)

    def _refresh(self, refresh_token: str) -> Grant:
        credentials: Any = google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
            token=None,
            refresh_token=refresh_token,
            token_uri=self._token_uri,
            client_id=self.client_id,
            client_secret=self._client_secret,
        )
        endpoint = TokenEndpoint(self._threads.http)
        # Before asking, and by the clock that its end is compared with: a slow answer must not lengthen a token's life.
        asked_at = self._clock()
        try:
            credentials.refresh(endpoint)
        except google.auth.exceptions.RefreshError:
            raise refusal_of(endpoint.error_code) from None
        except (google.auth.exceptions.TransportError, OSError) as broken:
            raise RetryLater("token_endpoint_unreachable") from broken
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as broken:
            # An answer 200 that is no token answer (a proxy's page, a body cut short) trips google-auth anywhere.
            raise RetryLater("token_answer_unreadable") from broken
        if not isinstance(credentials.token, str) or not credentials.token:
            raise RetryLater("token_answer_unreadable")
        rotated = credentials.refresh_token if credentials.refresh_token != refresh_token else None
        return Grant(
            access_token=credentials.token,
            expires_at=asked_at + dt.timedelta(seconds=endpoint.life_seconds),
            refresh_token=rotated,
            scopes=endpoint.scopes,
            refresh_token_expires_in=endpoint.refresh_token_expires_in,
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What google-auth reads of an answer."""

    status: int
    headers: dict[str, str]
    data: bytes


class TokenEndpoint(google_auth_httplib2.Request):  # type: ignore[misc]
    """google-auth's transport, listened in on. `error_code` is the last answer's own: google-auth drops it where it
    knows better, as with `invalid_rapt`. What passes is raised at once: google-auth would repeat it within our repeats.
    A token's life is told in every answer, in whole seconds, whatever the endpoint says of it.
    """

    def __init__(self, connection: httplib2.Http) -> None:
        super().__init__(connection)
        self.error_code: str | None = None
        # google-auth tells the granted scopes only to those who ask for some, and asking can be refused.
        self.scopes: tuple[str, ...] = ()
        self.life_seconds = UNTOLD_LIFE_SECONDS
        self.refresh_token_expires_in: int | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        response = super().__call__(*args, **kwargs)
        if response.status == http.client.OK:
            self.scopes = scopes_of(response.data)
            self.refresh_token_expires_in = refresh_token_seconds(response.data)
            self.life_seconds = _life_seconds(_value(response.data, "expires_in"))
            return _Answer(response.status, response.headers, _with_life(response.data))
        subtype = _text(response.data, "error_subtype")
        # Google tells a session that must be renewed (invalid_rapt) as a kind of invalid_grant.
        self.error_code = subtype if subtype in DEAD_GRANT_CODES else _text(response.data, "error")
        if response.status >= 500 or response.status in (408, 429) or self.error_code in PASSING_CODES:
            wait = retry_after_seconds(response.headers.get("retry-after"))
            sort = TokenEndpointBusy if response.status == http.client.TOO_MANY_REQUESTS else RetryLater
            raise sort("token_endpoint_failed", retry_after_seconds=wait)
        return response


def scopes_of(body: bytes) -> tuple[str, ...]:
    """The scopes of a token answer; () when it names none."""
    return tuple((_text(body, "scope") or "").split())


def refresh_token_seconds(body: bytes) -> int | None:
    """How long the refresh token lives, which Google says of an OAuth app in testing."""
    seconds = _value(body, "refresh_token_expires_in")
    return seconds if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0 else None


def _with_life(body: bytes) -> bytes:
    """The token answer with an `expires_in` that is a number of seconds. As it is if it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(answer, dict):
        return body
    return json.dumps({**answer, "expires_in": _life_seconds(answer.get("expires_in"))}).encode()


def _life_seconds(told: Any) -> int:
    try:
        seconds = 0.0 if isinstance(told, bool) else float(told)
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    return max(1, int(min(seconds, LONGEST_LIFE_SECONDS))) if seconds > 0 else UNTOLD_LIFE_SECONDS


def _text(body: bytes, name: str) -> str | None:
    """A text of a JSON object; None for whatever else came."""
    value = _value(body, name)
    return value if isinstance(value, str) else None


def _value(body: bytes, name: str) -> Any:
    try:
        return json.loads(body)[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def refusal_of(code: str | None) -> Exception:
    """The endpoint's own error code decides."""
    if code is None:
        return RetryLater("token_endpoint_failed")
    if code in CLIENT_CODES:
        return Misconfigured(code)
    if code in DEAD_GRANT_CODES:
        return GrantRefused(code)
    return RetryLater(f"token_endpoint_{code}"[:60])
