"""Google's error answers → typed failures. The only place that reads status codes and `errors[].reason`.

Reasons and statuses: Google's guide "Handle API errors" and the push guide. Nothing matches on message text.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from typing import Any

from sync.errors import (
    BadRequest,
    CalendarLost,
    ChannelIdTaken,
    GoogleFailure,
    PushUnsupported,
    ReconnectNeeded,
    RequestRejected,
    ResyncNeeded,
    RetryLater,
    SlowDown,
)

QUOTA_REASONS = frozenset({"userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
SCOPE_REASONS = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
SETUP_REASONS = frozenset({"accessNotConfigured", "push.webhookUrlUnauthorized", "push.webhookUrlNotHttps"})


class AccessTokenRejected(GoogleFailure):
    """401: the access token is bad. The caller refreshes once and tries again."""


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> GoogleFailure:
    """The typed failure of an error answer. `headers` with lower-case names."""
    reason, api_status = _read(body)
    code = reason or f"http_{status}"
    wait = retry_after_seconds(headers.get("retry-after"))
    if reason in QUOTA_REASONS or status == 429 or api_status == "RESOURCE_EXHAUSTED":
        # Before all else: a quota 403 may carry status PERMISSION_DENIED.
        return SlowDown(code, retry_after_seconds=wait)
    if status >= 500 or status == 408:
        return RetryLater(code, retry_after_seconds=wait)
    if reason in SETUP_REASONS:
        return RequestRejected(code)
    if status == 401:
        return AccessTokenRejected(code)
    if status == 410:
        return ResyncNeeded(code)
    if status == 403:
        return ReconnectNeeded("scope_missing") if reason in SCOPE_REASONS else _forbidden(code)
    if status == 404:
        return CalendarLost(code)
    if reason == "pushNotSupportedForRequestedResource":
        return PushUnsupported(code)
    if reason == "channelIdNotUnique":
        return ChannelIdTaken(code)
    return BadRequest(code) if status == 400 else RequestRejected(code)


def _forbidden(code: str) -> GoogleFailure:
    if code == "notACalendarUser":
        # The account has no Calendar (any more): it cannot be watched, and listing will say the same.
        return PushUnsupported(code)
    return CalendarLost(code)


def _read(body: bytes) -> tuple[str | None, str | None]:
    """(errors[0].reason or details[].reason, error.status); (None, None) for anything that is not Google's form."""
    try:
        error: Any = json.loads(body)["error"]
        listed = [item.get("reason") for item in error.get("errors") or ()]
        detailed = [item.get("reason") for item in error.get("details") or ()]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None, None
    known = [reason for reason in (*detailed, *listed) if reason in SCOPE_REASONS]
    reasons = known or [reason for reason in (*listed, *detailed) if isinstance(reason, str)]
    return (reasons[0] if reasons else None), error.get("status")


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or an HTTP date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
