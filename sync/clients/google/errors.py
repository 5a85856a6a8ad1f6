"""Google's error answers → typed failures. The only place that reads status codes and `errors[].reason`.

Reasons and statuses: Google's guide "Handle API errors" and the push guide. Nothing matches on message text.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import httplib2

from sync.clients.breakers import Breakers
from sync.clients.circuit import Breaker, Tripping
from sync.clients.retry_after import retry_after_seconds
from sync.errors import (
    AnswerUnbounded,
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
    TokenEndpointBusy,
    UpstreamDown,
)

QUOTA_REASONS = frozenset({"userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
SCOPE_REASONS = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
# The last three are the newer words (google.rpc.ErrorInfo) for the first.
SETUP_REASONS = frozenset(
    {
        "accessNotConfigured",
        "push.webhookUrlUnauthorized",
        "push.webhookUrlNotHttps",
        "SERVICE_DISABLED",
        "CONSUMER_INVALID",
        "CONSUMER_SUSPENDED",
    }
)


# Of more than one user: what fails for one alone is their calendars' own failure. A process is back a minute after
# Google at the latest.
TRIPPING = Tripping(failures=5, subjects=2, first_seconds=5.0, most_seconds=60.0)


class AccessTokenRejected(GoogleFailure):
    """401: the access token is bad. The caller refreshes once and tries again."""


# The far side is there: a quota, an answer that is only too long. And what was not sent says nothing.
_NO_OUTAGES = (SlowDown, TokenEndpointBusy, AnswerUnbounded, UpstreamDown)


def breaker_of(breakers: Breakers, upstream: str) -> Breaker:
    """The breaker of the Calendar API or of the token endpoint."""
    return breakers.of(
        upstream,
        TRIPPING,
        counts=_is_outage,
        down=lambda seconds: UpstreamDown(f"{upstream}_down", seconds),
        tells_on_trip=True,
        is_nobodys=_is_unreachable,
    )


def _is_outage(failure: Exception) -> bool:
    """No answer, a foreign one, 5xx."""
    return isinstance(failure, RetryLater) and not isinstance(failure, _NO_OUTAGES)


def _is_unreachable(failure: BaseException | None) -> bool:
    """There was no connection: whoever it was for."""
    while failure is not None:
        if isinstance(failure, ConnectionRefusedError | socket.gaierror | httplib2.ServerNotFoundError | ssl.SSLError):
            return True
        failure = failure.__cause__ or failure.__context__
    return False


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> GoogleFailure:
    """The typed failure of an error answer. `headers` with lower-case names."""
    is_googles, reason, api_status = _read(body)
    code = reason or f"http_{status}"
    wait = retry_after_seconds(headers.get("retry-after"))
    if reason in QUOTA_REASONS or status == 429 or api_status == "RESOURCE_EXHAUSTED":
        # Before all else: a quota 403 may carry status PERMISSION_DENIED.
        return SlowDown(code, retry_after_seconds=wait, whose=_whose(reason))
    if status >= 500 or status == 408:
        # Whatever its body: gateways answer 520 to 530, 540 and others with a page, or with JSON of their own.
        return RetryLater(code, retry_after_seconds=wait)
    if status == 410:
        # Of any form: a listing that was needless costs little, one that is never made loses changes.
        return ResyncNeeded(code)
    if not is_googles:
        return ForeignAnswer(f"foreign_answer_{status}", retry_after_seconds=wait)
    return _refusal(status, code)


def _whose(reason: str | None) -> QuotaOf:
    """By the guide, userRateLimitExceeded names the user's own limit, and dailyLimitExceeded the project's;
    rateLimitExceeded and quotaExceeded are said of either, with 403 and with 429."""
    return {"userRateLimitExceeded": QuotaOf.USER, "dailyLimitExceeded": QuotaOf.PROJECT}.get(
        reason or "", QuotaOf.EITHER
    )


def _refusal(status: int, code: str) -> GoogleFailure:
    """What Google itself, in its own form, refuses for good."""
    if code in SETUP_REASONS:
        return Misconfigured(code)
    if status == 401:
        return AccessTokenRejected(code)
    if status == 403:
        return ReconnectNeeded("scope_missing") if code in SCOPE_REASONS else _forbidden(code)
    if status == 404:
        return CalendarLost(code)
    if code == "pushNotSupportedForRequestedResource":
        return PushUnsupported(code)
    if code == "channelIdNotUnique":
        return ChannelIdTaken(code)
    return BadRequest(code) if status == 400 else RequestRejected(code)


def _forbidden(code: str) -> GoogleFailure:
    if code == "notACalendarUser":
        # The account has no Calendar (any more): it cannot be watched, and listing will say the same.
        return PushUnsupported(code)
    return CalendarLost(code)


def _read(body: bytes) -> tuple[bool, str | None, str | None]:
    """(it has Google's form, errors[0].reason or details[].reason, error.status)."""
    error = _error_of(body)
    listed, detailed = _reasons(error.get("errors")), _reasons(error.get("details"))
    known = [reason for reason in (*detailed, *listed) if reason in SCOPE_REASONS]
    reason = next(iter((*known, *listed, *detailed)), None)
    is_googles = isinstance(error.get("code"), int) or bool(listed)
    return is_googles, reason, error.get("status") if is_googles else None


def _error_of(body: bytes) -> Mapping[str, Any]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    return error if isinstance(error, dict) else {}


def _reasons(items: Any) -> list[str]:
    found = [item.get("reason") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return [reason for reason in found if isinstance(reason, str)]
