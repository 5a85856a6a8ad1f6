"""Google's OAuth: consent, the token endpoint and revocation.

Owns codes, refresh tokens (grants) and access tokens, and every way a grant can die. Refuses as Google's endpoints
refuse. Consent is automatic; switches model a user who declines or unticks a scope. Tokens live in memory and are
never logged.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .errors import ControlError, OAuthError, bad_credentials, login_required
from .faults import DEAD_GRANT, OAUTH_REFUSALS
from .http import Request, Response
from .store import Store
from .switches import Switches

SCOPE = "https://www.googleapis.com/auth/"
DEFAULT_SCOPES = (f"{SCOPE}calendar.events.readonly", f"{SCOPE}calendar.calendarlist.readonly")
CODE_SECONDS = 600
UNUSED_SECONDS = 182 * 86400  # six months without a refresh end a grant
TESTING_SECONDS = 7 * 86400  # an OAuth app in Testing


@dataclass
class Grant:
    """One refresh token. `dead` is the token endpoint's reason, once there is one."""

    refresh_token: str
    account: str
    client_id: str
    scopes: tuple[str, ...]
    issued_at: float
    used_at: float
    in_testing: bool = False
    dead: str | None = None


@dataclass(frozen=True)
class Access:
    """One access token."""

    grant: Grant
    scopes: frozenset[str]
    expires_at: float


@dataclass
class Code:
    """One authorization code, good once."""

    account: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    offline: bool
    forced_consent: bool
    expires_at: float
    spent: bool = False


class OAuth:
    """The three endpoints, and who an access token belongs to."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        self._codes: dict[str, Code] = {}
        self._grants: dict[str, Grant] = {}
        self._access: dict[str, Access] = {}

    def issue(self, account: str, scopes: tuple[str, ...], client_id: str | None = None) -> Grant:
        """A new refresh token; beyond 100 live ones of an account and client the oldest dies."""
        now = self._store.clock.seconds()
        client = client_id or next(iter(self._switches.clients))
        testing = self._switches.app_in_testing
        grant = Grant(f"1//{secrets.token_urlsafe(32)}", account, client, scopes, now, now, testing)
        self._grants[grant.refresh_token] = grant
        live = self._live(account, client)
        for oldest in live[: max(0, len(live) - self._switches.max_refresh_tokens)]:
            oldest.dead = "invalid_grant"
        return grant

    def _live(self, account: str, client_id: str) -> list[Grant]:
        mine = [grant for grant in self._grants.values() if (grant.account, grant.client_id) == (account, client_id)]
        return [grant for grant in mine if not self._death(grant)]

    def _death(self, grant: Grant) -> str | None:
        now = self._store.clock.seconds()
        too_old = grant.in_testing and now - grant.issued_at > TESTING_SECONDS
        return "invalid_grant" if too_old or now - grant.used_at > UNUSED_SECONDS else grant.dead

    def kill(self, account: str, reason: str) -> None:
        """Every grant the account has given is dead, for this reason; a new consent gives a live one again."""
        if reason not in OAUTH_REFUSALS:
            raise ControlError(f"a grant dies of one of {sorted(OAUTH_REFUSALS)}, not of {reason!r}")
        self._mark(account, reason)

    def revive(self, account: str) -> None:
        """Undo `kill`, and every other death but old age."""
        self._mark(account, None)

    def _mark(self, account: str, dead: str | None) -> None:
        email = self._store.account(account).email
        for grant in self._grants.values():
            if grant.account == email:
                grant.dead = dead

    def account_of(self, headers: dict[str, str]) -> str | None:
        """Whose access token a request carries, good or not; for counting and matching only."""
        access = self._access.get(headers.get("authorization", "").removeprefix("Bearer "))
        return access.grant.account if access else None

    def owner(self, refresh_token: str) -> str | None:
        """Whose refresh token this is; for matching faults only."""
        grant = self._grants.get(refresh_token)
        return grant.account if grant else None

    def authenticate(self, headers: dict[str, str]) -> Access:
        """The live access token of a request, or 401."""
        header = headers.get("authorization", "")
        if not header.startswith("Bearer "):
            raise login_required()
        access = self._access.get(header.removeprefix("Bearer "))
        if access is None or access.expires_at <= self._store.clock.seconds() or self._death(access.grant):
            raise bad_credentials()
        return access

    def authorize(self, request: Request) -> Response:
        """GET /o/oauth2/v2/auth: consent, then a redirect with a code (or `error=access_denied`)."""
        query = {name: values[-1] for name, values in request.query.items()}
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") not in self._switches.clients:
            raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
        if not redirect_uri or query.get("response_type") != "code" or not query.get("scope"):
            raise OAuthError(400, "invalid_request", "redirect_uri, response_type=code and scope are required.")
        if query.get("code_challenge") and query.get("code_challenge_method") != "S256":
            raise OAuthError(400, "invalid_request", "code_challenge_method must be S256.")
        account = query.get("login_hint") or next(iter(self._store.accounts), "")
        if account not in self._store.accounts:
            raise OAuthError(400, "invalid_request", "There is no such account; add_account first.")
        echoed = {"state": query["state"]} if "state" in query else {}
        if self._switches.consent == "deny":
            return _redirect(redirect_uri, echoed | {"error": "access_denied"})
        scopes = tuple(item for item in query["scope"].split() if item not in self._switches.untick_scopes)
        code = f"4/{secrets.token_urlsafe(32)}"
        self._codes[code] = Code(
            account,
            query["client_id"],
            redirect_uri,
            scopes,
            query.get("code_challenge"),
            query.get("access_type") == "offline",
            "consent" in query.get("prompt", "").split(),
            self._store.clock.seconds() + CODE_SECONDS,
        )
        return _redirect(redirect_uri, echoed | {"code": code, "scope": " ".join(scopes)})

    def token(self, request: Request) -> dict[str, Any]:
        """POST /token."""
        form = request.form()
        client_id = self._check_client(request, form)
        if form.get("grant_type") == "authorization_code":
            return self._exchange(form, client_id)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form, client_id)
        raise OAuthError(400, "unsupported_grant_type", "Invalid grant_type.")

    def _check_client(self, request: Request, form: dict[str, str]) -> str:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        header = request.headers.get("authorization", "")
        if header.startswith("Basic "):
            client_id, _, secret = base64.b64decode(header[6:]).decode().partition(":")
        if client_id not in self._switches.clients:
            raise OAUTH_REFUSALS["invalid_client"]()
        if not secrets.compare_digest(self._switches.clients[client_id], secret):
            raise OAuthError(401, "invalid_client", "Unauthorized")
        return client_id

    def _exchange(self, form: dict[str, str], client_id: str) -> dict[str, Any]:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.spent or code.expires_at <= self._store.clock.seconds() or code.client_id != client_id:
            raise OAuthError(400, "invalid_grant", "Malformed auth code." if code is None else "Bad Request")
        if code.redirect_uri != form.get("redirect_uri"):
            raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
        if code.challenge and code.challenge != _s256(form.get("code_verifier", "")):
            raise OAuthError(400, "invalid_grant", "Invalid code verifier.")
        code.spent = True
        first = not self._live(code.account, client_id)
        grant = self.issue(code.account, code.scopes, client_id)
        answer = self._answer(grant)
        if code.offline and (first or code.forced_consent):
            return answer | {"refresh_token": grant.refresh_token} | self._testing_note(grant)
        # Without a refresh token nobody can use the grant again; it must not count against the hundred.
        del self._grants[grant.refresh_token]
        return answer

    def _refresh(self, form: dict[str, str], client_id: str) -> dict[str, Any]:
        grant = self._grants.get(form.get("refresh_token", ""))
        if grant is None or grant.client_id != client_id:
            raise OAuthError(400, "invalid_grant", DEAD_GRANT)
        reason = self._death(grant)
        if reason:
            raise OAUTH_REFUSALS[reason]()
        grant.used_at = self._store.clock.seconds()
        if not self._switches.rotate_refresh_tokens:
            return self._answer(grant) | self._testing_note(grant)
        successor = self.issue(grant.account, grant.scopes, client_id)
        successor.issued_at, successor.in_testing = grant.issued_at, grant.in_testing
        grant.dead = "invalid_grant"
        return self._answer(successor) | {"refresh_token": successor.refresh_token} | self._testing_note(successor)

    def _testing_note(self, grant: Grant) -> dict[str, Any]:
        left = int(grant.issued_at + TESTING_SECONDS - self._store.clock.seconds())
        return {"refresh_token_expires_in": left} if grant.in_testing else {}

    def _answer(self, grant: Grant) -> dict[str, Any]:
        seconds = self._switches.access_token_seconds
        text = f"ya29.{secrets.token_urlsafe(48)}"
        expires_at = self._store.clock.seconds() + seconds
        self._access[text] = Access(grant, frozenset(grant.scopes), expires_at)
        scope = " ".join(grant.scopes)
        answer: dict[str, Any] = {"access_token": text, "scope": scope, "token_type": "Bearer"}
        return answer | ({} if self._switches.omit_expires_in else {"expires_in": seconds})

    def access_token(self, refresh_token: str) -> str:
        """An access token without the HTTP round trip, for control.py's convenience."""
        return str(self._answer(self._grants[refresh_token])["access_token"])

    def revoke(self, request: Request) -> None:
        """POST /revoke: ends every grant of the token's account and client."""
        query = request.query.get("token")
        text = request.form().get("token") or (query[-1] if query else "")
        access = self._access.get(text)
        grant = access.grant if access else self._grants.get(text)
        if grant is None or self._death(grant):
            raise OAuthError(400, "invalid_token", "Token expired or revoked")
        grant.dead = "invalid_grant"
        for other in self._live(grant.account, grant.client_id):
            other.dead = "invalid_grant"


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _redirect(uri: str, parameters: dict[str, str]) -> Response:
    joiner = "&" if "?" in uri else "?"
    return Response(302, headers={"Location": f"{uri}{joiner}{urlencode(parameters)}"})
