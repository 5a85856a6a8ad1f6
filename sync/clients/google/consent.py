"""Google's consent: an authorization code becomes tokens, and a grant is given back. Shapes in, typed failures out.

Called by `connect_google` and `disconnect` of `jobs/accounts`. Error codes mean what they mean in
`clients/google/oauth`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
from typing import Any
from urllib.parse import urlencode

import google.auth.exceptions

from sync.clients.breakers import TOKEN_ENDPOINT, Breakers
from sync.clients.google.errors import breaker_of
from sync.clients.google.http_transport import ThreadHttp
from sync.clients.google.oauth import TokenEndpoint, refresh_token_seconds, refusal_of, scopes_of
from sync.errors import ReconnectNeeded, RetryLater
from sync.model import Grant
from sync.telemetry.metrics import GOOGLE_DURATION, GOOGLE_REQUESTS
from sync.telemetry.registry import observed

_FORM = {"content-type": "application/x-www-form-urlencoded"}


class GoogleConsent:
    """Thread-safe; one per process."""

    def __init__(
        self, *, client_id: str, client_secret: str, token_uri: str, revoke_uri: str, breakers: Breakers | None = None
    ) -> None:
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._token_uri = token_uri
        self._revoke_uri = revoke_uri
        self._threads = ThreadHttp()
        self._breaker = breaker_of(breakers or Breakers(), TOKEN_ENDPOINT)

    def exchange(self, code: str, *, verifier: str, redirect_uri: str, now: dt.datetime) -> Grant:
        """The tokens of an authorization code, which Google takes once. Raises ReconnectNeeded (the code is used, too
        old, or not this flow's), Misconfigured (our OAuth client), RetryLater."""
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        body = self._post("oauth2.exchange", self._token_uri, {**form, "redirect_uri": redirect_uri, **self._client})
        try:
            answer = json.loads(body)
            refresh_token = answer.get("refresh_token")
            return Grant(
                access_token=str(answer["access_token"]),
                expires_at=now + dt.timedelta(seconds=int(answer["expires_in"])),
                refresh_token=str(refresh_token) if refresh_token else None,
                scopes=scopes_of(body),
                refresh_token_expires_in=refresh_token_seconds(body),
            )
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
            # No cause: its text may quote the answer.
            raise RetryLater("token_answer_unreadable") from None

    def revoke(self, token: str) -> None:
        """Gives a grant back; both kinds of token will do. A token that Google no longer knows is revoked already.
        Raises Misconfigured, RetryLater."""
        with contextlib.suppress(ReconnectNeeded):
            self._post("oauth2.revoke", self._revoke_uri, {"token": token})

    def _post(self, method: str, uri: str, form: dict[str, str]) -> bytes:
        """The body of a 200. Not repeated here: a code is good once."""
        return self._breaker.call(lambda: self._observed(method, uri, form), subject=hash(tuple(form.values())))

    def _observed(self, method: str, uri: str, form: dict[str, str]) -> bytes:
        with observed(GOOGLE_REQUESTS, GOOGLE_DURATION, method):
            return self._answer(uri, form)

    def _answer(self, uri: str, form: dict[str, str]) -> bytes:
        endpoint: Any = TokenEndpoint(self._threads.http)
        try:
            response = endpoint(uri, method="POST", headers=_FORM, body=urlencode(form))
        except (google.auth.exceptions.TransportError, OSError) as broken:
            self._threads.http.close()
            raise RetryLater("token_endpoint_unreachable") from broken
        if response.status != http.client.OK:
            raise refusal_of(endpoint.error_code)
        body: bytes = response.data
        return body
