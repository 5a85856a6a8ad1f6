"""Who may look at the dashboard, and who may act on it: operators' tokens, sessions and the proof of a form's origin.

A token is exchanged for a signed cookie. Its key is made from that operator's token, so a session ends when its token
is changed or taken out of the settings, in every process, and nothing is stored. Pure but for the given clock and
randomness. Called by `sign_in` and `pages`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.datastructures import Headers
from werkzeug.http import parse_cookie

from sync.settings import Settings

# A working day with a night shift's overlap; after it the token is asked for again.
SESSION_SECONDS = 12 * 3600
_SALT = "dashboard-session"


@dataclass(frozen=True, slots=True)
class Operator:
    """Who looks. `may_act` False: reads only. `csrf`: proves that a form was made for this session."""

    name: str
    may_act: bool
    csrf: str


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    may_act: bool
    token: bytes


class Operators:
    """Checks tokens and sessions. One per process; thread-safe."""

    def __init__(self, settings: Settings, clock: Callable[[], dt.datetime]) -> None:
        self._clock = clock
        acting, reading = settings.dashboard_tokens or {}, settings.dashboard_read_tokens or {}
        self._known = (*_known(acting, may_act=True), *_known(reading, may_act=False))
        # As the service is reached, not as the last proxy speaks to it: that one may be plain.
        self.is_https = not settings.is_development

    @property
    def are_any(self) -> bool:
        """Whether anybody can sign in."""
        return bool(self._known)

    def sign_in(self, token: str) -> str | None:
        """The session's cookie; None: nobody's token. Every token is compared, in constant time."""
        given = token.encode()
        matches = [known for known in self._known if hmac.compare_digest(known.token, given)]
        if not matches:
            return None
        known = matches[0]
        return _serializer(known).dumps([known.name, known.may_act, secrets.token_urlsafe(18)])

    @property
    def cookie_name(self) -> str:
        """A browser takes a `__Host-` cookie from this host by https alone; plain http is for development."""
        return "__Host-dashboard" if self.is_https else "dashboard"

    def holder(self, headers: Headers) -> Operator | None:
        """The operator whose cookie a request carries; None: nobody's."""
        cookie = parse_cookie(headers.get("Cookie")).get(self.cookie_name)
        return self.of_session(cookie) if cookie else None

    def of_session(self, cookie: str) -> Operator | None:
        """Who holds this cookie; None: it was not signed here, has ended, or its token is no longer one."""
        for known in self._known:
            try:
                (name, may_act, session), since = _serializer(known).loads(cookie, return_timestamp=True)
            except (BadSignature, ValueError, TypeError):
                continue
            has_ended = (self._clock() - since).total_seconds() > SESSION_SECONDS
            if (name, may_act) == (known.name, known.may_act) and not has_ended:
                return Operator(known.name, known.may_act, _csrf(known, session))
        return None


def is_from(operator: Operator, given: str) -> bool:
    """Whether a form's `csrf` field was made for the operator's session."""
    return hmac.compare_digest(operator.csrf.encode(), given.encode())


def _known(tokens: Mapping[str, str], *, may_act: bool) -> list[_Known]:
    return [_Known(name, may_act, token.encode()) for name, token in tokens.items()]


def _key(known: _Known, purpose: bytes) -> bytes:
    return hmac.digest(known.token, purpose, hashlib.sha256)


def _serializer(known: _Known) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        _key(known, b"session"), salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
    )


def _csrf(known: _Known, session: str) -> str:
    return hmac.new(_key(known, b"forms"), session.encode(), hashlib.sha256).hexdigest()
