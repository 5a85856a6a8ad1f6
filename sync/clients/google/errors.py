"""Google's error answers → typed failures. The only place that reads status codes and `errors[].reason`.

Reasons and statuses: Google's guide "Handle API errors" and the push guide. Nothing matches on message text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

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


class AccessTokenRejected(GoogleFailure):
    """401: the access token is bad. The caller refreshes once and tries again."""


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
