"""The Google clients against answers a faithful emulator never gives: cut, foreign, wrong in form."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest

from sync.clients.google.calendar import GoogleCalendar
from sync.clients.google.oauth import GoogleOAuth
from sync.errors import (
    BadRequest,
    CalendarLost,
    OutcomeUnknown,
    PageTokenRejected,
    ReconnectNeeded,
    RequestRejected,
    ResyncNeeded,
    RetryLater,
    SyncError,
)
from tests.clients.google.answering import Answers, answering

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


class Token:
    """`Access` that counts how often a fresh token was asked for."""

    refreshed = 0

    def token(self, *, fresh: bool = False) -> str:
        self.refreshed += fresh
        return "ya29.secret"


@pytest.fixture
def google() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def refused(reason: str) -> bytes:
    return json.dumps({"error": {"errors": [{"reason": reason}]}}).encode()


def open_watch(google: Answers) -> dt.datetime:
    calendar = GoogleCalendar(google.url)
    opened = calendar.watch(Token(), "primary", channel_id="c", token="t", address="https://x", now=NOW)
    return opened.expires_at


@pytest.mark.parametrize(
    ("expiration", "expires_at"),
    [
        ("1795348800000", dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)),
        (1795348800000, dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)),
        (None, NOW + dt.timedelta(days=7)),
    ],
)
def test_a_watchs_expiration_comes_as_text_as_a_number_or_not_at_all(
    google: Answers, expiration: str | int | None, expires_at: dt.datetime
) -> None:
    google.body = json.dumps({"resourceId": "r", "expiration": expiration}).encode()

    assert open_watch(google) == expires_at


@pytest.mark.parametrize("body", [b"{}", b"", b"[]", b"<html>", b'{"resourceId": "r", "expiration": "soon"}',
                                  b'{"resourceId": "r", "expiration": 1e40}'])  # fmt: skip
def test_a_watchs_answer_that_makes_no_sense_leaves_its_outcome_unknown_and_is_not_repeated(
    google: Answers, body: bytes
) -> None:
    google.body = body

    with pytest.raises(OutcomeUnknown):
        open_watch(google)
    assert google.requests == 1


@pytest.mark.parametrize(
    ("sync_token", "page_token", "reason", "failure"),
    [
        (None, None, "invalid", BadRequest),
        ("s", None, "invalid", ResyncNeeded),
        ("s", "p", "invalid", PageTokenRejected),
        (None, "p", "invalid", PageTokenRejected),
        ("s", "p", "accessNotConfigured", RequestRejected),
        ("s", None, "accessNotConfigured", RequestRejected),
    ],
)
def test_a_400_to_a_listing_is_about_the_token_it_carried_and_nothing_else_is(
    google: Answers, sync_token: str | None, page_token: str | None, reason: str, failure: type[SyncError]
) -> None:
    google.status, google.body = 403 if reason == "accessNotConfigured" else 400, refused(reason)

    with pytest.raises(failure):
        GoogleCalendar(google.url).list_events(Token(), "primary", sync_token=sync_token, page_token=page_token)


def test_a_refused_access_token_is_refreshed_once_and_then_given_up(google: Answers) -> None:
    google.status, google.body = 401, refused("authError")
    token = Token()

    with pytest.raises(CalendarLost, match="unauthorized"):
        GoogleCalendar(google.url).list_events(token, "primary", sync_token=None, page_token=None)
    assert (token.refreshed, google.requests) == (1, 2)


def test_a_redirect_is_not_followed_with_the_token(google: Answers) -> None:
    with answering() as elsewhere:
        google.status, google.headers = 302, {"Location": elsewhere.url}
        with pytest.raises(RequestRejected, match="http_302"):
            GoogleCalendar(google.url).list_events(Token(), "primary", sync_token=None, page_token=None)
        assert elsewhere.requests == 0


TOKEN = {"access_token": "ya29.new", "expires_in": 3599, "scope": "a b", "token_type": "Bearer"}


def refresh(google: Answers) -> object:
    return GoogleOAuth(client_id="c", client_secret="s", token_uri=google.url).refresh("1//old")


def test_a_grant_is_read_with_its_scopes_and_a_rotated_refresh_token(google: Answers) -> None:
    google.body = json.dumps({**TOKEN, "refresh_token": "1//new"}).encode()

    grant = GoogleOAuth(client_id="c", client_secret="s", token_uri=google.url).refresh("1//old")

    assert (grant.access_token, grant.refresh_token, grant.scopes) == ("ya29.new", "1//new", ("a", "b"))
    assert 3500 < (grant.expires_at - dt.datetime.now(dt.UTC)).total_seconds() < 3600


@pytest.mark.parametrize(
    ("status", "body", "failure", "code"),
    [
        (400, {"error": "invalid_grant"}, ReconnectNeeded, "invalid_grant"),
        (400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}, ReconnectNeeded, "invalid_rapt"),
        (400, {"error": "invalid_rapt"}, ReconnectNeeded, "invalid_rapt"),
        (400, {"error": "admin_policy_enforced"}, ReconnectNeeded, "admin_policy_enforced"),
        (401, {"error": "deleted_client"}, ReconnectNeeded, "deleted_client"),
        (401, {"error": "invalid_client"}, RequestRejected, "invalid_client"),
        (401, {"error": "unauthorized_client"}, RequestRejected, "unauthorized_client"),
        (400, {"error": "something_new"}, RetryLater, "token_endpoint_something_new"),
        (400, {"error": {"code": 400}}, RetryLater, "token_endpoint_failed"),
        (400, "<html>", RetryLater, "token_endpoint_failed"),
        (400, {"error": "temporarily_unavailable"}, RetryLater, "token_endpoint_failed"),
        (429, {"error": "rate_limit_exceeded"}, RetryLater, "token_endpoint_failed"),
        (503, {"error": "invalid_grant"}, RetryLater, "token_endpoint_failed"),
        (503, "down", RetryLater, "token_endpoint_failed"),
        (200, {}, RetryLater, "token_endpoint_failed"),
        (200, "<html>", RetryLater, "token_answer_unreadable"),
        (200, {"access_token": "ya29.new"}, RetryLater, "token_answer_unreadable"),
    ],
)
def test_only_the_endpoints_own_code_ends_a_grant(
    google: Answers, status: int, body: object, failure: type[SyncError], code: str
) -> None:
    google.status = status
    google.body = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    with pytest.raises(SyncError) as caught:
        refresh(google)

    assert (type(caught.value), caught.value.code) == (failure, code)
    assert google.requests == 1
    assert "1//old" not in str(caught.value)


def test_the_token_endpoints_retry_after_is_kept(google: Answers) -> None:
    google.status, google.headers = 503, {"Retry-After": "45"}

    with pytest.raises(RetryLater) as caught:
        refresh(google)
    assert caught.value.retry_after_seconds == 45


def test_a_token_endpoint_that_is_not_there_is_a_passing_fault() -> None:
    with pytest.raises(RetryLater, match="token_endpoint_unreachable"):
        GoogleOAuth(client_id="c", client_secret="s", token_uri="http://127.0.0.1:9").refresh("1//old")
