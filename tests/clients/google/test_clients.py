"""The Google clients against answers a faithful emulator never gives: cut, foreign, wrong in form."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterator

import pytest

from sync.clients.google.calendar import GoogleCalendar
from sync.clients.google.consent import GoogleConsent
from sync.clients.google.http_transport import MAX_ANSWER_BYTES
from sync.clients.google.oauth import GoogleOAuth
from sync.errors import (
    AnswerTooLarge,
    AnswerTooSlow,
    BadRequest,
    CalendarLost,
    ForeignAnswer,
    GoogleFailure,
    GrantRefused,
    Misconfigured,
    OutcomeUnknown,
    PageTokenRejected,
    ResyncNeeded,
    RetryLater,
    SlowDown,
    SyncError,
    TokenEndpointBusy,
)
from sync.model import EventsPage, Grant
from tests.clients.google.answering import Answers, answering

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


class Token:
    """`Access` that counts how often a fresh token was asked for."""

    refreshed = 0

    def __init__(self, *, is_waited_for: bool = False) -> None:
        self.is_waited_for = is_waited_for
        self.ends: list[GoogleFailure | None] = []

    def token(self, *, fresh: bool = False) -> str:
        self.refreshed += fresh
        return "ya29.secret"

    def answered(self, failure: GoogleFailure | None) -> None:
        self.ends.append(failure)


@pytest.fixture
def google() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def refused(reason: str) -> bytes:
    return json.dumps({"error": {"errors": [{"reason": reason}]}}).encode()


def calendar_api(google: Answers) -> GoogleCalendar:
    """Repeats at once."""
    return GoogleCalendar(google.url, pause=lambda _: None)


def open_watch(google: Answers) -> dt.datetime:
    calendar = calendar_api(google)
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
        ("s", "p", "accessNotConfigured", Misconfigured),
        ("s", None, "accessNotConfigured", Misconfigured),
    ],
)
def test_a_400_to_a_listing_is_about_the_token_it_carried_and_nothing_else_is(
    google: Answers, sync_token: str | None, page_token: str | None, reason: str, failure: type[SyncError]
) -> None:
    google.status, google.body = 403 if reason == "accessNotConfigured" else 400, refused(reason)

    with pytest.raises(failure):
        calendar_api(google).list_events(Token(), "primary", sync_token=sync_token, page_token=page_token)


def listed(google: Answers) -> EventsPage:
    return calendar_api(google).list_events(Token(), "primary", sync_token=None, page_token=None)


@pytest.mark.parametrize("packing", ["gzip", "deflate", "raw deflate"])
def test_an_answer_that_packs_well_is_read(google: Answers, packing: str) -> None:
    window = {"gzip": 31, "deflate": 15, "raw deflate": -15}[packing]
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    items = [{"id": f"e{number}", "description": "x" * 80_000} for number in range(250)]
    plain = json.dumps({"kind": "calendar#events", "items": items, "nextSyncToken": "t"}).encode()
    google.body = packer.compress(plain) + packer.flush()
    google.headers = {"Content-Encoding": packing.split()[-1]}
    assert len(plain) > 100 * len(google.body)

    assert len(listed(google).items) == 250


@pytest.mark.parametrize("is_packed", [True, False])
def test_an_answer_too_large_to_hold_is_a_failure_of_its_own_and_not_asked_for_again(
    google: Answers, is_packed: bool
) -> None:
    plain = b" " * (MAX_ANSWER_BYTES + 1)
    google.body = gzip.compress(plain) if is_packed else plain
    google.headers = {"Content-Encoding": "gzip"} if is_packed else {}

    with pytest.raises(AnswerTooLarge, match="answer_too_large"):
        listed(google)
    assert google.requests == 1


@pytest.mark.parametrize("body", [gzip.compress(b"{}" * 999, mtime=0)[:-9], b"no gzip at all"])
def test_a_packed_answer_that_is_cut_or_none_is_tried_again(google: Answers, body: bytes) -> None:
    google.headers = {"Content-Encoding": "gzip"}
    google.script = [body]
    google.body = gzip.compress(b'{"kind": "calendar#events", "items": []}')

    assert listed(google).items == ()


def test_an_answer_that_drips_is_given_up_as_a_whole(google: Answers) -> None:
    timeout_seconds = 1.0
    google.body, google.drip_seconds = b"{" + b" " * 2400, timeout_seconds / 40
    hasty = GoogleCalendar(google.url, timeout_seconds=timeout_seconds)
    began = time.monotonic()

    with pytest.raises(AnswerTooSlow, match="answer_too_slow"):
        hasty.list_events(Token(), "primary", sync_token=None, page_token=None)
    # All of it would take a minute.
    assert time.monotonic() - began < 20
    assert google.requests == 1


def test_a_refused_access_token_is_refreshed_once_and_then_given_up(google: Answers) -> None:
    google.status, google.body = 401, refused("authError")
    token = Token()

    with pytest.raises(CalendarLost, match="unauthorized"):
        calendar_api(google).list_events(token, "primary", sync_token=None, page_token=None)
    assert (token.refreshed, google.requests) == (1, 2)


def test_a_redirect_is_not_followed_with_the_token(google: Answers) -> None:
    with answering() as elsewhere:
        google.status, google.headers = 302, {"Location": elsewhere.url}
        with pytest.raises(ForeignAnswer, match="foreign_answer_302"):
            calendar_api(google).list_events(Token(), "primary", sync_token=None, page_token=None)
        assert elsewhere.requests == 0


TOKEN = {"access_token": "ya29.new", "expires_in": 3599, "scope": "a b", "token_type": "Bearer"}


def oauth_at(token_uri: str) -> GoogleOAuth:
    return GoogleOAuth(client_id="c", client_secret="s", token_uri=token_uri, clock=lambda: NOW)


def refresh(google: Answers) -> Grant:
    return oauth_at(google.url).refresh("1//old")


def test_a_grant_is_read_with_its_scopes_and_a_rotated_refresh_token(google: Answers) -> None:
    google.body = json.dumps({**TOKEN, "refresh_token": "1//new"}).encode()

    grant = refresh(google)

    assert (grant.access_token, grant.refresh_token, grant.scopes) == ("ya29.new", "1//new", ("a", "b"))
    assert grant.expires_at == NOW + dt.timedelta(seconds=3599)


@pytest.mark.parametrize(
    ("status", "body", "failure", "code"),
    [
        (400, {"error": "invalid_grant"}, GrantRefused, "invalid_grant"),
        (400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}, GrantRefused, "invalid_rapt"),
        (400, {"error": "invalid_rapt"}, GrantRefused, "invalid_rapt"),
        (400, {"error": "admin_policy_enforced"}, GrantRefused, "admin_policy_enforced"),
        (401, {"error": "deleted_client"}, Misconfigured, "deleted_client"),
        (401, {"error": "invalid_client"}, Misconfigured, "invalid_client"),
        (401, {"error": "unauthorized_client"}, Misconfigured, "unauthorized_client"),
        (400, {"error": "invalid_request"}, Misconfigured, "invalid_request"),
        (400, {"error": "unsupported_grant_type"}, Misconfigured, "unsupported_grant_type"),
        (400, {"error": "something_new"}, RetryLater, "token_endpoint_something_new"),
        (400, {"error": {"code": 400}}, RetryLater, "token_endpoint_failed"),
        (400, "<html>", RetryLater, "token_endpoint_failed"),
        (400, {"error": "temporarily_unavailable"}, RetryLater, "token_endpoint_failed"),
        (429, {"error": "rate_limit_exceeded"}, TokenEndpointBusy, "token_endpoint_failed"),
        (503, {"error": "invalid_grant"}, RetryLater, "token_endpoint_failed"),
        (503, "down", RetryLater, "token_endpoint_failed"),
        (521, {"error": "invalid_grant"}, RetryLater, "token_endpoint_failed"),
        (540, "", RetryLater, "token_endpoint_failed"),
        (403, "<html>", RetryLater, "token_endpoint_failed"),
        (200, {}, RetryLater, "token_endpoint_failed"),
        (200, [], RetryLater, "token_answer_unreadable"),
        (200, {"access_token": 7}, RetryLater, "token_answer_unreadable"),
        (200, {"access_token": ""}, RetryLater, "token_answer_unreadable"),
        (200, "<html>", RetryLater, "token_answer_unreadable"),
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
        oauth_at("http://127.0.0.1:9").refresh("1//old")


NOT_GOOGLES = [
    b"<html>Sign in to this network</html>",
    b"",
    b"[]",
    b"{}",
    b'"text"',
    b'{"kind": "calendar#events", "items": [',
    b'{"kind": "calendar#events", "items": {"0": {}}}',
    b'{"kind": "calendar#events", "items": "none"}',
    b'{"kind": "calendar#events", "items": [], "nextPageToken": 7}',
    b'{"kind": "calendar#events", "items": [], "nextSyncToken": ["s"]}',
    b'{"status": "login", "items": []}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", NOT_GOOGLES)
def test_a_200_that_is_no_listing_says_nothing_about_the_calendar(google: Answers, body: bytes) -> None:
    google.body = body

    with pytest.raises(ForeignAnswer):
        calendar_api(google).list_events(Token(), "primary", sync_token=None, page_token=None)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 407, 451])
def test_an_error_page_of_somebody_else_is_tried_again_and_refreshes_nothing(google: Answers, status: int) -> None:
    google.status, google.body = status, b"<html>Access denied by policy</html>"
    google.headers = {"Retry-After": "60"} if status != 403 else {}
    token = Token()

    with pytest.raises(ForeignAnswer, match=f"foreign_answer_{status}"):
        calendar_api(google).list_events(token, "primary", sync_token="s", page_token="p")
    assert (token.refreshed, google.requests) == (0, 3 if status == 403 else 1)


@pytest.mark.parametrize("status", [500, 501, 507, 511, 520, 521, 522, 523, 524, 525, 526, 527, 530, 540, 599])
@pytest.mark.parametrize("body", [b"", b'{"message": "no code"}', b"<html>"])
def test_every_gateways_5xx_passes(google: Answers, status: int, body: bytes) -> None:
    google.status, google.body = status, body
    google.headers = {"Retry-After": "5"}

    with pytest.raises(RetryLater, match=f"http_{status}") as caught:
        calendar_api(google).list_events(Token(), "primary", sync_token="s", page_token=None)
    assert (caught.value.retry_after_seconds, google.requests) == (5, 1)


def test_a_short_wait_that_google_asks_for_is_waited_for_before_each_repeat(google: Answers) -> None:
    google.status, google.headers = 503, {"Retry-After": "3"}
    waits: list[float] = []

    with pytest.raises(RetryLater):
        GoogleCalendar(google.url, pause=waits.append).list_calendars(Token())
    assert (waits, google.requests) == ([3, 3], 3)


@pytest.mark.parametrize(("is_waited_for", "requests"), [(False, 1), (True, 3)])
def test_a_quota_that_is_used_up_is_asked_again_only_for_a_person(
    google: Answers, is_waited_for: bool, requests: int
) -> None:
    google.status, google.body = 403, refused("rateLimitExceeded")
    token = Token(is_waited_for=is_waited_for)

    with pytest.raises(SlowDown):
        calendar_api(google).list_calendars(token)
    assert google.requests == requests
    assert [type(end) for end in token.ends] == [SlowDown] * requests


def test_the_access_is_told_how_every_request_ended(google: Answers) -> None:
    google.status, google.body = 401, refused("authError")
    token = Token()
    with pytest.raises(CalendarLost):
        calendar_api(google).list_calendars(token)
    google.status, google.body = 200, json.dumps({"kind": "calendar#calendarList", "items": []}).encode()
    assert calendar_api(google).list_calendars(token) == []
    assert [type(end).__name__ for end in token.ends] == ["AccessTokenRejected", "AccessTokenRejected", "NoneType"]


def page(**more: object) -> bytes:
    return json.dumps({"kind": "calendar#events", "items": [], **more}).encode()


@pytest.mark.parametrize(
    "nothing", [{}, {"nextPageToken": None, "timeZone": None}, {"nextPageToken": "", "timeZone": ""}]
)
def test_an_empty_token_is_none_and_so_is_an_empty_zone(google: Answers, nothing: dict[str, object]) -> None:
    google.body = page(**nothing, nextSyncToken="")

    found = calendar_api(google).list_events(Token(), "primary", sync_token=None, page_token=None)

    assert (found.next_page_token, found.next_sync_token, found.time_zone) == (None, None, None)


def calendar_list(**more: object) -> bytes:
    return json.dumps({"kind": "calendar#calendarList", "items": [{"id": "a"}], **more}).encode()


def test_an_empty_page_token_ends_the_calendar_list(google: Answers) -> None:
    google.script = [calendar_list(nextPageToken="p")]
    google.body = calendar_list(nextPageToken="")

    assert calendar_api(google).list_calendars(Token()) == [{"id": "a"}, {"id": "a"}]


def test_a_calendar_list_that_repeats_a_page_is_broken_off(google: Answers) -> None:
    google.script = [calendar_list(nextPageToken="p"), calendar_list(nextPageToken="q")]
    google.body = calendar_list(nextPageToken="p")

    with pytest.raises(RetryLater, match="page_token_repeats"):
        calendar_api(google).list_calendars(Token())
    assert google.requests == 3


def test_a_calendar_list_without_end_is_broken_off(google: Answers) -> None:
    google.script = [calendar_list(nextPageToken=f"p{number}") for number in range(10_000)]

    with pytest.raises(RetryLater, match="too_many_pages"):
        calendar_api(google).list_calendars(Token())
    assert google.requests < 1000


@pytest.mark.parametrize("body", [*NOT_GOOGLES[:5], b'{"kind": "calendar#calendarList", "items": [7]}'])
def test_a_200_that_is_no_calendar_list_is_no_empty_list(google: Answers, body: bytes) -> None:
    google.body = body

    with pytest.raises(ForeignAnswer):
        calendar_api(google).list_calendars(Token())


@pytest.mark.parametrize("expires_in", [None, "", 0, -5, "soon", True, 1e300, "1e300", []])
def test_a_token_whose_life_is_not_told_works_for_a_while(google: Answers, expires_in: object) -> None:
    answer = {"access_token": "ya29.new", "expires_in": expires_in, "token_type": "Bearer"}
    google.body = json.dumps({name: value for name, value in answer.items() if value is not None}).encode()
    consent = GoogleConsent(client_id="c", client_secret="s", token_uri=google.url, revoke_uri=google.url)

    refreshed = refresh(google)
    exchanged = consent.exchange("code", verifier="v", redirect_uri="https://x", now=NOW)

    for grant in (refreshed, exchanged):
        assert 300 < (grant.expires_at - NOW).total_seconds() <= 86400


def hang_up_between(google: Answers, calls: list[Callable[[], object]]) -> None:
    """Each call comes on a connection that the server has closed since the last one."""
    google.hang_up = True
    for call in calls:
        call()
        assert google.hung_up.acquire(timeout=60)


def test_an_idle_connection_that_the_token_endpoint_has_closed_is_no_failure(google: Answers) -> None:
    google.body = json.dumps(TOKEN).encode()
    oauth = oauth_at(google.url)
    consent = GoogleConsent(client_id="c", client_secret="s", token_uri=google.url, revoke_uri=google.url)

    hang_up_between(google, [lambda: oauth.refresh("1//old")] * 8 + [lambda: consent.revoke("1//old")] * 8)

    assert google.requests == 16


def test_an_idle_connection_that_google_has_closed_is_no_failure_for_any_call(google: Answers) -> None:
    calendar = calendar_api(google)

    def list_events() -> None:
        google.body = page()
        calendar.list_events(Token(), "primary", sync_token=None, page_token=None)

    def watch() -> None:
        google.body = b'{"resourceId": "r"}'
        calendar.watch(Token(), "primary", channel_id="c", token="t", address="https://x", now=NOW)

    def stop() -> None:
        google.body = b""
        calendar.stop(Token(), channel_id="c", resource_id="r")

    hang_up_between(google, [list_events, watch, stop] * 5)

    # Each came through at its first try: a repeat on a new connection reaches the server once.
    assert google.requests == 15


def test_what_is_asked_over_a_connection_that_is_open_is_asked_as_over_a_new_one(google: Answers) -> None:
    google.body = page()
    calendar = calendar_api(google)
    odd = "zoë #1/?&\r\nX: y@group.calendar.google.com"

    for _ in range(3):
        calendar.list_events(Token(), odd, sync_token="a b=\r\n&ü", page_token=None)

    assert len(set(google.heads)) == 1
    assert "zo%C3%AB%20%231%2F%3F%26%0D%0AX%3A%20y%40group" in google.heads[0]
    first, *others = google.received
    assert others == [first] * 2
    google.status, google.body = 401, refused("authError")
    with pytest.raises(CalendarLost):
        calendar.list_events(Token(), odd, sync_token=None, page_token=None)
