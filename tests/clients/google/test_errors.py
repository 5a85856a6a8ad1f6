"""Google's error answers → typed failures, as a table."""

from __future__ import annotations

import datetime as dt
import email.utils
import json

import pytest

from sync.clients.google.errors import AccessTokenRejected, failure_of
from sync.clients.retry_after import retry_after_seconds
from sync.errors import (
    BadRequest,
    CalendarLost,
    ChannelIdTaken,
    ForeignAnswer,
    GoogleFailure,
    Misconfigured,
    PushUnsupported,
    QuotaOf,
    ReconnectNeeded,
    RequestRejected,
    ResyncNeeded,
    RetryLater,
    SlowDown,
)


def body(reason: str | None, *, status: str | None = None, detail: str | None = None) -> bytes:
    error: dict[str, object] = {"code": 0, "message": "never looked at"}
    if reason:
        error["errors"] = [{"domain": "global", "reason": reason, "message": "never looked at"}]
    if status:
        error["status"] = status
    if detail:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": detail}]
    return json.dumps({"error": error}).encode()


TABLE: list[tuple[int, bytes, type[GoogleFailure], str]] = [
    (400, body("invalid"), BadRequest, "invalid"),
    (400, body("required"), BadRequest, "required"),
    (400, body("timeRangeEmpty"), BadRequest, "timeRangeEmpty"),
    (400, body("pushNotSupportedForRequestedResource"), PushUnsupported, "pushNotSupportedForRequestedResource"),
    (400, body("channelIdNotUnique"), ChannelIdTaken, "channelIdNotUnique"),
    (400, body("push.webhookUrlNotHttps"), Misconfigured, "push.webhookUrlNotHttps"),
    (401, body("authError"), AccessTokenRejected, "authError"),
    (401, body(None), AccessTokenRejected, "http_401"),
    (401, body("push.webhookUrlUnauthorized"), Misconfigured, "push.webhookUrlUnauthorized"),
    (403, body("userRateLimitExceeded"), SlowDown, "userRateLimitExceeded"),
    (403, body("rateLimitExceeded"), SlowDown, "rateLimitExceeded"),
    (403, body("quotaExceeded", status="PERMISSION_DENIED"), SlowDown, "quotaExceeded"),
    (403, body("dailyLimitExceeded"), SlowDown, "dailyLimitExceeded"),
    (403, body(None, status="RESOURCE_EXHAUSTED"), SlowDown, "http_403"),
    (403, body("insufficientPermissions"), ReconnectNeeded, "scope_missing"),
    (
        403,
        body("forbidden", status="PERMISSION_DENIED", detail="ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
        ReconnectNeeded,
        "scope_missing",
    ),
    (403, body("accessNotConfigured", status="PERMISSION_DENIED"), Misconfigured, "accessNotConfigured"),
    (403, body("forbidden"), CalendarLost, "forbidden"),
    (403, body("notACalendarUser"), PushUnsupported, "notACalendarUser"),
    (403, body("SERVICE_DISABLED", status="PERMISSION_DENIED"), Misconfigured, "SERVICE_DISABLED"),
    (403, b"<html>a proxy's page</html>", ForeignAnswer, "foreign_answer_403"),
    (403, b'{"message": "a firewall\'s own JSON"}', ForeignAnswer, "foreign_answer_403"),
    (403, b'{"error": "forbidden"}', ForeignAnswer, "foreign_answer_403"),
    (403, b"[" * 100_000, ForeignAnswer, "foreign_answer_403"),
    (400, b"<html>", ForeignAnswer, "foreign_answer_400"),
    (401, b"<html>", ForeignAnswer, "foreign_answer_401"),
    (302, b"", ForeignAnswer, "foreign_answer_302"),
    (511, b"<html>sign in to the network</html>", RetryLater, "http_511"),
    (500, b'{"message": "no code"}', RetryLater, "http_500"),
    (404, body("notFound"), CalendarLost, "notFound"),
    (404, body(None), CalendarLost, "http_404"),
    (404, b"", ForeignAnswer, "foreign_answer_404"),
    (408, b"", RetryLater, "http_408"),
    (409, body("conflict"), RequestRejected, "conflict"),
    (410, body("fullSyncRequired"), ResyncNeeded, "fullSyncRequired"),
    (410, body("updatedMinTooLongAgo"), ResyncNeeded, "updatedMinTooLongAgo"),
    (410, b"", ResyncNeeded, "http_410"),
    (412, body("conditionNotMet"), RequestRejected, "conditionNotMet"),
    (429, body("rateLimitExceeded"), SlowDown, "rateLimitExceeded"),
    (429, b"", SlowDown, "http_429"),
    (500, body("backendError"), RetryLater, "backendError"),
    (502, b"<html>", RetryLater, "http_502"),
    (503, body("backendError"), RetryLater, "backendError"),
    (504, b"", RetryLater, "http_504"),
    *(
        (status, b"error code: %d" % status, RetryLater, f"http_{status}")
        for status in (*range(520, 531), 540, 598, 599)
    ),
]


@pytest.mark.parametrize(
    ("status", "answer", "failure", "code"), TABLE, ids=[f"{row[0]}-{row[3]}-{row[2].__name__}" for row in TABLE]
)
def test_each_answer_is_its_failure(status: int, answer: bytes, failure: type[GoogleFailure], code: str) -> None:
    found = failure_of(status, {}, answer)

    assert type(found) is failure
    assert found.code == code


@pytest.mark.parametrize(
    "answer",
    [b"null", b"[]", b'"text"', b'{"error": "invalid_grant"}', b'{"error": null}', b'{"error": {"errors": "x"}}',
     b'{"error": {"errors": [null]}}', b'{"error": {"errors": [{"reason": 7}]}}', b"\xff\xfe"],
)  # fmt: skip
def test_an_answer_of_another_form_is_judged_by_its_status(answer: bytes) -> None:
    assert failure_of(503, {}, answer).code == "http_503"


def test_the_message_is_never_kept() -> None:
    assert "never looked at" not in str(failure_of(403, {}, body("forbidden")))


def test_retry_after_is_seconds_or_a_date() -> None:
    in_a_minute = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60), usegmt=True)
    long_ago = "Wed, 21 Oct 2015 07:28:00 GMT"

    assert retry_after_seconds("7") == 7
    assert retry_after_seconds("0.5") == 0.5
    assert retry_after_seconds("-3") == 0
    assert 55 < (retry_after_seconds(in_a_minute) or 0) < 61
    assert retry_after_seconds(long_ago) == 0
    assert retry_after_seconds("nan") == 0
    for nothing in (None, "", "soon", "Wed, 99 Foo 2015", "Wed, 21 Oct 99999 07:28:00 GMT"):
        assert retry_after_seconds(nothing) is None


@pytest.mark.parametrize(
    ("status", "reason", "whose"),
    [
        (403, "userRateLimitExceeded", QuotaOf.USER),
        (403, "dailyLimitExceeded", QuotaOf.PROJECT),
        (403, "rateLimitExceeded", QuotaOf.EITHER),
        (429, "rateLimitExceeded", QuotaOf.EITHER),
        (403, "quotaExceeded", QuotaOf.EITHER),
    ],
)
def test_a_refusal_tells_whose_quota_it_was_where_google_does(status: int, reason: str, whose: QuotaOf) -> None:
    failure = failure_of(status, {}, body(reason))
    assert isinstance(failure, SlowDown)
    assert failure.whose is whose


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "quotaExceeded"), (429, "rateLimitExceeded"), (503, "backendError")]
)
def test_retry_after_comes_with_whatever_is_to_be_tried_again(status: int, reason: str) -> None:
    failure = failure_of(status, {"retry-after": "30"}, body(reason))

    assert isinstance(failure, RetryLater)
    assert failure.retry_after_seconds == 30
