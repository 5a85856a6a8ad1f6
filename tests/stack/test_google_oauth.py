"""The emulator's OAuth endpoints, as the consent flow and the token endpoint are used by a web application."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import Request
from httplib2 import Http

from scripts.stack.google.control import GoogleControl
from tests.stack.google_clients import ALICE

EVENTS = "https://www.googleapis.com/auth/calendar.events.readonly"
LISTS = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"
CALLBACK = "http://127.0.0.1:1/callback"
VERIFIER = "v" * 50
CLIENT = {"client_id": "emulator-client", "client_secret": "emulator-secret"}


@pytest.fixture
def google(google: GoogleControl) -> GoogleControl:
    google.add_account("zoe@example.com")
    google.configure(max_refresh_tokens=100)
    google.add_account(ALICE)
    google.revoke(ALICE)  # so that the account has no live grant from its creation
    return google


def consent(google: GoogleControl, **more: str) -> dict[str, str]:
    """What comes back to the redirect URI."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": "emulator-client",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": f"{EVENTS} {LISTS}",
        "state": "s1",
        "login_hint": ALICE,
        "access_type": "offline",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    } | more
    answer = httpx.get(f"{google.base_url}/o/oauth2/v2/auth", params=query)
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def exchange(google: GoogleControl, **form: str) -> httpx.Response:
    """A call of the token endpoint."""
    return httpx.post(f"{google.base_url}/token", data=CLIENT | form)


def redeem(google: GoogleControl, code: str, **more: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return exchange(google, **(form | more))


def refresh(google: GoogleControl, token: str, **more: str) -> httpx.Response:
    return exchange(google, grant_type="refresh_token", refresh_token=token, **more)


def test_consent_gives_a_code_that_works_once(google: GoogleControl) -> None:
    back = consent(google)
    assert back["state"] == "s1"
    tokens = redeem(google, back["code"]).json()
    assert tokens["expires_in"] == 3599
    assert tokens["scope"] == f"{EVENTS} {LISTS}"
    assert tokens["token_type"] == "Bearer"
    assert refresh(google, tokens["refresh_token"]).status_code == 200
    again = redeem(google, back["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_refresh_token_comes_at_first_offline_consent_or_when_consent_is_forced(google: GoogleControl) -> None:
    first = redeem(google, consent(google)["code"]).json()
    second = redeem(google, consent(google)["code"]).json()
    forced = redeem(google, consent(google, prompt="consent")["code"]).json()
    online = redeem(google, consent(google, access_type="online", prompt="consent")["code"]).json()
    assert ["refresh_token" in answer for answer in (first, second, forced, online)] == [True, False, True, False]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "wrong"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:1/other"}, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "stranger"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused(google: GoogleControl, change: dict[str, str], error: str) -> None:
    assert redeem(google, consent(google)["code"], **change).json()["error"] == error


def test_a_user_may_decline_or_untick(google: GoogleControl) -> None:
    google.configure(consent="deny")
    assert consent(google)["error"] == "access_denied"
    google.configure(consent="grant", untick_scopes=[LISTS])
    tokens = redeem(google, consent(google)["code"]).json()
    assert tokens["scope"] == EVENTS
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    lists = httpx.get(f"{google.base_url}/calendar/v3/users/me/calendarList", headers=headers)
    assert (lists.status_code, lists.json()["error"]["errors"][0]["reason"]) == (403, "insufficientPermissions")


@pytest.mark.parametrize(
    ("reason", "code", "error"),
    [
        ("invalid_grant", 400, "invalid_grant"),
        ("invalid_rapt", 400, "invalid_grant"),
        ("admin_policy_enforced", 400, "admin_policy_enforced"),
        ("deleted_client", 401, "deleted_client"),
    ],
)
def test_a_revoked_account_is_dead_until_restored(google: GoogleControl, reason: str, code: int, error: str) -> None:
    token = google.grant(ALICE)
    access = refresh(google, token).json()["access_token"]
    google.revoke(ALICE, reason)
    dead = refresh(google, token)
    assert (dead.status_code, dead.json()["error"]) == (code, error)
    assert dead.json().get("error_subtype") == ("invalid_rapt" if reason == "invalid_rapt" else None)
    headers = {"Authorization": f"Bearer {access}"}
    assert httpx.get(f"{google.base_url}/calendar/v3/users/me/calendarList", headers=headers).status_code == 401
    assert refresh(google, google.grant(ALICE)).status_code == 200
    google.restore(ALICE)
    assert refresh(google, token).status_code == 200


@pytest.mark.parametrize("kind", ["invalid_grant", "invalid_rapt", "admin_policy_enforced", "deleted_client"])
def test_the_token_endpoint_can_be_made_to_refuse(google: GoogleControl, kind: str) -> None:
    token = google.grant(ALICE)
    google.add_fault(kind, account=ALICE, times=1)
    assert refresh(google, token).status_code in (400, 401)
    assert refresh(google, token).status_code == 200


def test_the_token_endpoint_can_be_down(google: GoogleControl) -> None:
    token = google.grant(ALICE)
    google.add_fault("backend_503", method="token", times=1)
    assert refresh(google, token).status_code == 503
    google.add_fault("reset_after", method="token", times=1)
    with pytest.raises(httpx.TransportError):
        refresh(google, token)
    assert google.counters()["calls"] == {"token": 2}


def test_the_oldest_of_too_many_refresh_tokens_dies(google: GoogleControl) -> None:
    tokens = [google.grant(ALICE) for _ in range(101)]
    assert [refresh(google, token).status_code for token in (tokens[0], tokens[1], tokens[-1])] == [400, 200, 200]


def test_refresh_tokens_can_rotate(google: GoogleControl) -> None:
    google.configure(rotate_refresh_tokens=True)
    old = google.grant(ALICE)
    new = refresh(google, old).json()["refresh_token"]
    assert (refresh(google, old).status_code, refresh(google, new).status_code) == (400, 200)


@pytest.mark.parametrize(("testing", "days"), [(True, 8), (False, 190)])
def test_grants_grow_old(google: GoogleControl, testing: bool, days: int) -> None:
    google.configure(app_in_testing=testing)
    token = google.grant(ALICE)
    assert ("refresh_token_expires_in" in refresh(google, token).json()) is testing
    google.advance(days * 86400)
    assert refresh(google, token).json()["error"] == "invalid_grant"


def test_revocation_ends_the_grant(google: GoogleControl) -> None:
    token = google.grant(ALICE)
    assert httpx.post(f"{google.base_url}/revoke", data={"token": token}).status_code == 200
    assert refresh(google, token).status_code == 400
    assert httpx.post(f"{google.base_url}/revoke", data={"token": token}).json()["error"] == "invalid_token"


def test_google_auth_refreshes_against_it(google: GoogleControl) -> None:
    def credentials(token: str) -> Any:
        return Credentials(None, refresh_token=token, token_uri=f"{google.base_url}/token", **CLIENT)  # type: ignore[no-untyped-call]

    live = credentials(google.grant(ALICE))
    live.refresh(Request(Http(timeout=60)))
    assert live.valid
    google.revoke(ALICE)
    with pytest.raises(RefreshError, match="expired or revoked"):
        live.refresh(Request(Http(timeout=60)))
