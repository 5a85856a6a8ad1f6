"""Who is calling: the service (its key), a scheduler (the cron secret), a signed-in user (a Supabase JWT), or
Prometheus (the metrics token).

Credentials come as `Authorization: Bearer …` or `apikey: …`, and are compared in constant time. Called first in each
route.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass

from flask import current_app, request
from werkzeug.datastructures import Headers

from sync.clients.user_keys import KeysUnavailable
from sync.clients.user_tokens import UserTokenExpired, UserTokenInvalid, UserTokens
from sync.settings import Settings
from sync.web.doors.guard import guard, mark_proven
from sync.web.doors.problems import Problem

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True, slots=True)
class Caller:
    """`kind`: service, scheduler or user. `user_id` is set for a signed-in user only: the service acts for
    anybody. `email`: as the user's JWT has it."""

    kind: str
    user_id: str | None = None
    email: str | None = None

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
            raise Problem(
                403, "not_your_account", "Signed-in users may act for themselves only.", suspicion="other_user"
            )
        return user_id


class Doors:
    """Checks credentials. One per process."""

    def __init__(self, settings: Settings, user_tokens: UserTokens) -> None:
        self._service_key = settings.supabase_service_role_key.encode()
        self._cron_secret = settings.cron_secret.encode() if settings.cron_secret else None
        self._metrics_token = settings.metrics_token.encode() if settings.metrics_token else None
        self._user_tokens = user_tokens

    def service(self, headers: Headers, *, or_scheduler: bool) -> str | None:
        """`service` or `scheduler`, if one of them calls. Both are compared, whatever the first gave."""
        is_service, is_scheduler = (_holds(headers, key) for key in (self._service_key, self._cron_secret))
        return "service" if is_service else "scheduler" if is_scheduler and or_scheduler else None

    def is_scraper(self, headers: Headers) -> bool:
        return _holds(headers, self._metrics_token)

    def caller(self, headers: Headers, *, or_scheduler: bool) -> Caller:
        """The service or a user. Raises Problem 401, 503."""
        service = self.service(headers, or_scheduler=or_scheduler)
        if service:
            return Caller(service)
        bearer = _bearer(headers)
        if bearer is None:
            raise _unauthorized("Send Authorization: Bearer <service key or user JWT>.", headers)
        try:
            user_id, email = self._user_tokens.signed_in(bearer)
            return Caller("user", _uuid(user_id), email)
        except KeysUnavailable:
            # No 401: a front end would sign its user out.
            detail = "The project's signing keys cannot be had now; try again."
            raise Problem(503, "keys_unavailable", detail, {"Retry-After": "30"}) from None
        except UserTokenExpired:
            # A good one once: an honest front end that did not refresh it.
            raise Problem(401, "unauthorized", "The credentials are not valid here.", _CHALLENGE) from None
        except (UserTokenInvalid, ValueError):
            raise _unauthorized("The credentials are not valid here.", headers) from None

    def proves(self, headers: Headers) -> bool:
        """Whether the service, a scheduler, a user or Prometheus is calling, for whatever."""
        if self.is_scraper(headers):
            return True
        try:
            self.caller(headers, or_scheduler=True)
        except Problem:
            return False
        return True


def require_service() -> None:
    """For routes of operators and schedulers. Raises Problem 401."""
    service = _doors().service(request.headers, or_scheduler=True)
    if service is None:
        raise _unauthorized("Send Authorization: Bearer <service key or cron secret>.", request.headers)
    mark_proven(service)


def require_scraper() -> None:
    """For the metrics. Raises Problem 401."""
    if not _doors().is_scraper(request.headers):
        raise _unauthorized("Send Authorization: Bearer <METRICS_TOKEN>.", request.headers)
    mark_proven("prometheus")


def require_operator() -> None:
    """For routes of operators and subscribers, which no scheduler needs. Raises Problem 401."""
    if _doors().service(request.headers, or_scheduler=False) is None:
        raise _unauthorized("Send Authorization: Bearer <service key>.", request.headers)
    mark_proven("service")


def who_calls(*, or_scheduler: bool = False) -> Caller:
    """For routes of users too: the service or a signed-in user. `or_scheduler`: the cron secret is taken for the
    service here. Raises Problem 401, 429 (a user asks too much), 503."""
    caller = _doors().caller(request.headers, or_scheduler=or_scheduler)
    mark_proven(caller.kind)
    if caller.user_id:
        guard().count_user(caller.user_id)
    return caller


def _holds(headers: Headers, key: bytes | None) -> bool:
    """Whether one of the credentials is the key; one that is not set is nobody's."""
    # WSGI hands headers over as latin-1: this is what was sent, byte by byte.
    given = [credential.encode("latin-1", "replace") for credential in _credentials(headers)]
    # Every one is compared, whatever the earlier ones gave.
    matches = [key is not None and hmac.compare_digest(one, key) for one in given]
    return any(matches)


def _doors() -> Doors:
    doors: Doors = current_app.extensions["doors"]
    return doors


def _unauthorized(detail: str, headers: Headers) -> Problem:
    """Counted as what was tried."""
    given = _credentials(headers)
    kind = "bad_jwt" if any(one.count(".") == 2 for one in given) else "refused_key" if given else "no_key"
    return Problem(401, "unauthorized", detail, _CHALLENGE, suspicion=kind)


def _uuid(value: str) -> str:
    return str(uuid.UUID(value))


def _bearer(headers: Headers) -> str | None:
    scheme, _, credential = (headers.get("Authorization") or "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" and credential.strip() else None


def _credentials(headers: Headers) -> list[str]:
    return [credential for credential in (_bearer(headers), headers.get("apikey")) if credential]
