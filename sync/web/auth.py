"""Who is calling: the service (its key), a scheduler (the cron secret), or a signed-in user (a Supabase JWT).

Credentials come as `Authorization: Bearer …` or `apikey: …`, and are compared in constant time. Called first in each
route.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass

from flask import current_app, request
from werkzeug.datastructures import Headers

from sync.clients.user_tokens import UserTokenInvalid, UserTokens
from sync.settings import Settings
from sync.web.problems import Problem

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True, slots=True)
class Caller:
    """`user_id` is set for a signed-in user only: the service acts for anybody."""

    user_id: str | None = None

    def acts_for(self, requested: object) -> str:
        """The user a call is about: the one the service names, or the signed-in one, who may name nobody else.

        Raises Problem 400, 403.
        """
        if requested is None and self.user_id:
            return self.user_id
        if not isinstance(requested, str):
            raise Problem(400, "user_id_missing", "Send a JSON body with userId, the user's id (a UUID).")
        try:
            user_id = _uuid(requested)
        except ValueError:
            raise Problem(400, "user_id_malformed", "userId must be the user's id, a UUID.") from None
        if self.user_id and self.user_id != user_id:
            raise Problem(403, "not_your_account", "A signed-in user may act for himself only.")
        return user_id


class Doors:
    """Checks credentials. One per process."""

    def __init__(self, settings: Settings, user_tokens: UserTokens) -> None:
        self._service_key = settings.supabase_service_role_key.encode()
        self._cron_secret = settings.cron_secret.encode() if settings.cron_secret else None
        self._user_tokens = user_tokens

    def is_service(self, headers: Headers, *, or_scheduler: bool) -> bool:
        keys = [self._service_key, *([self._cron_secret] if or_scheduler and self._cron_secret else ())]
        # WSGI hands headers over as latin-1: this is what was sent, byte by byte.
        given = [credential.encode("latin-1", "replace") for credential in _credentials(headers)]
        # Every pair is compared, whatever the earlier ones gave.
        matches = [hmac.compare_digest(one, key) for one in given for key in keys]
        return any(matches)

    def caller(self, headers: Headers, *, or_scheduler: bool) -> Caller:
        """The service or a user. Raises Problem 401."""
        if self.is_service(headers, or_scheduler=or_scheduler):
            return Caller()
        bearer = _bearer(headers)
        if bearer is None:
            raise Problem(401, "unauthorized", "Send Authorization: Bearer <service key or user JWT>.", _CHALLENGE)
        try:
            return Caller(user_id=_uuid(self._user_tokens.user_id(bearer)))
        except (UserTokenInvalid, ValueError):
            raise Problem(401, "unauthorized", "The credentials are not valid here.", _CHALLENGE) from None


def require_service() -> None:
    """For routes of operators and schedulers. Raises Problem 401."""
    if not _doors().is_service(request.headers, or_scheduler=True):
        raise Problem(401, "unauthorized", "Send Authorization: Bearer <service key or cron secret>.", _CHALLENGE)


def who_calls(*, or_scheduler: bool = False) -> Caller:
    """For routes of users too: the service or a signed-in user. `or_scheduler`: the cron secret is taken for the
    service here. Raises Problem 401."""
    return _doors().caller(request.headers, or_scheduler=or_scheduler)


def _doors() -> Doors:
    doors: Doors = current_app.extensions["doors"]
    return doors


def _uuid(value: str) -> str:
    return str(uuid.UUID(value))


def _bearer(headers: Headers) -> str | None:
    scheme, _, credential = (headers.get("Authorization") or "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None


def _credentials(headers: Headers) -> list[str]:
    return [credential for credential in (_bearer(headers), headers.get("apikey")) if credential]
