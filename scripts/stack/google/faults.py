"""Faults on demand: rules that make chosen calls fail, wait, or come back broken.

Owns the list of fault kinds, matching of rules to calls, and calls that are held until a test releases them. Knows
nothing of calendars: the emulator asks for the rules of a call and applies them. Deterministic: a probability is
spread evenly (0.25 = every fourth matching call), so that a failing test fails again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import ControlError, GoogleError, OAuthError, bad_credentials, gone, not_found, scope_missing
from .foreign import FOREIGN, check_status
from .sync_tokens import page_token_rejected

QUOTA_MESSAGES = {"userRateLimitExceeded": "User Rate Limit Exceeded", "rateLimitExceeded": "Rate Limit Exceeded"}
MAX_HOLD_SECONDS = 120.0


@dataclass(frozen=True)
class Call:
    """What a rule can match: one call, `page` counted from 1, `mode` full or incremental for listings."""

    kind: str
    calendar: str | None = None
    account: str | None = None
    mode: str | None = None
    page: int = 1


@dataclass
class Rule:
    """One fault in force."""

    kind: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    method: str | None = None
    calendar: str | None = None
    account: str | None = None
    mode: str | None = None
    page: int | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seconds: float = 1.0
    size: int = 1
    status: int = 521
    retry_after: int | None = None
    hits: int = 0
    held: int = 0
    seen: int = 0
    released: threading.Event = field(default_factory=threading.Event)


def throttled(code: int, reason: str, retry_after: int | None, status: str | None = None) -> GoogleError:
    """A quota refusal."""
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    message = QUOTA_MESSAGES.get(
        reason, "Quota exceeded for quota metric 'Queries' of service 'calendar-json.googleapis.com'."
    )
    return GoogleError(code, reason, message, domain="usageLimits", status=status, headers=headers)


def _backend(code: int) -> Callable[[Rule], GoogleError]:
    return lambda rule: GoogleError(
        code,
        "backendError",
        "Backend Error",
        headers={"Retry-After": str(rule.retry_after)} if rule.retry_after else {},
    )


REFUSALS: dict[str, Callable[[Rule], GoogleError]] = {
    "user_rate_limit": lambda rule: throttled(403, "userRateLimitExceeded", rule.retry_after),
    "rate_limit": lambda rule: throttled(403, "rateLimitExceeded", rule.retry_after),
    "quota_exceeded": lambda rule: throttled(403, "quotaExceeded", rule.retry_after, "PERMISSION_DENIED"),
    "too_many_requests": lambda rule: throttled(429, "rateLimitExceeded", rule.retry_after, "RESOURCE_EXHAUSTED"),
    "backend_500": _backend(500),
    "backend_502": _backend(502),
    "backend_503": _backend(503),
    "backend_504": _backend(504),
    "sync_token_expired": lambda _: gone(),
    "gone": lambda _: gone(),
    "page_token_rejected": lambda _: page_token_rejected(),
    "unwatchable": lambda _: GoogleError(
        400, "pushNotSupportedForRequestedResource", "Push notifications are not supported by this resource."
    ),
    "webhook_unauthorized": lambda _: GoogleError(
        401, "push.webhookUrlUnauthorized", "Unauthorized WebHook callback channel."
    ),
    "not_a_calendar_user": lambda _: GoogleError(
        403, "notACalendarUser", "The user must be signed up for Google Calendar.", domain="calendar"
    ),
    "lost_access_404": lambda _: not_found(),
    "lost_access_403": lambda _: GoogleError(403, "forbidden", "Forbidden", domain="calendar"),
    "lost_access_401": lambda _: bad_credentials(),
    "revoked_grant": lambda _: bad_credentials(),
    "access_not_configured": lambda _: GoogleError(
        403, "accessNotConfigured", "Calendar API has not been used in this project.", domain="usageLimits",
        status="PERMISSION_DENIED",
    ),
    "insufficient_permissions": lambda _: scope_missing(),
}  # fmt: skip

DEAD_GRANT = "Token has been expired or revoked."
OAUTH_REFUSALS: dict[str, Callable[[], OAuthError]] = {
    "invalid_grant": lambda: OAuthError(400, "invalid_grant", DEAD_GRANT),
    "revoked_grant": lambda: OAuthError(400, "invalid_grant", DEAD_GRANT),
    "invalid_rapt": lambda: OAuthError(400, "invalid_grant", "reauth related error (invalid_rapt)", "invalid_rapt"),
    "admin_policy_enforced": lambda: OAuthError(
        400, "admin_policy_enforced", "Access to the requested scope is blocked by the organization's policy."
    ),
    "deleted_client": lambda: OAuthError(401, "deleted_client", "The OAuth client was deleted."),
    "invalid_client": lambda: OAuthError(401, "invalid_client", "The OAuth client was not found."),
}
EFFECTS = {
    "reset_before",
    "reset_after",
    "truncated_body",
    "malformed_json",
    "oversized_body",
    "slow",
    "hold",
}
# What is odd about a page of a listing (listing.py).
PAGE_ODDITIES = {
    "empty_page",
    "small_pages",
    "empty_page_token",
    "repeated_page_token",
    "endless_pages",
    "no_sync_token",
    "empty_time_zone",
}
KINDS = EFFECTS | PAGE_ODDITIES | set(REFUSALS) | set(OAUTH_REFUSALS) | set(FOREIGN) | {"lost_watch_answer"}
WATCH_KINDS = {"unwatchable", "webhook_unauthorized", "not_a_calendar_user", "lost_watch_answer"}
LISTING_KINDS = PAGE_ODDITIES | {"sync_token_expired", "page_token_rejected"}


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rules: list[Rule] = []

    def add(self, kind: str, match: dict[str, Any]) -> str:
        """Put a fault in force; its id. `ControlError` for an unknown kind or match."""
        if kind not in KINDS:
            raise ControlError(f"no fault kind {kind!r}; there are {sorted(KINDS)}")
        try:
            rule = Rule(kind, **match)
        except TypeError as error:
            raise ControlError(str(error)) from None
        check_status(kind, rule.status)
        if rule.method is None:
            rule.method = _default_method(kind)
        with self._condition:
            self._rules.append(rule)
        return rule.id

    def take(self, call: Call) -> list[Rule]:
        """The rules that strike this call; each counts the strike."""
        with self._condition:
            struck = [rule for rule in self._rules if _matches(rule, call) and _strikes(rule)]
            self._rules = [
                rule for rule in self._rules if rule.times is None or rule.hits < rule.times or rule.kind == "hold"
            ]
        return struck

    def wait(self, rules: list[Rule]) -> None:
        """Serve the delays of a call: `slow`, then `hold` until released."""
        for rule in rules:
            if rule.kind == "slow":
                time.sleep(rule.seconds)
            elif rule.kind == "hold":
                self._hold(rule)

    def _hold(self, rule: Rule) -> None:
        with self._condition:
            rule.held += 1
            self._condition.notify_all()
        rule.released.wait(MAX_HOLD_SECONDS)
        with self._condition:
            rule.held -= 1
            self._condition.notify_all()

    def wait_held(self, fault_id: str, timeout: float) -> bool:
        """Whether a call is held by this rule, waiting up to `timeout` seconds for one."""
        rule = self._find(fault_id)
        with self._condition:
            return self._condition.wait_for(lambda: rule.held > 0, timeout)

    def release(self, fault_id: str) -> None:
        """Let the calls held by a rule go on, and end the rule."""
        rule = self._find(fault_id)
        with self._condition:
            self._rules.remove(rule)
        rule.released.set()

    def clear(self) -> None:
        """End every rule and release every held call."""
        with self._condition:
            ended, self._rules = self._rules, []
        for rule in ended:
            rule.released.set()

    def _find(self, fault_id: str) -> Rule:
        with self._condition:
            for rule in self._rules:
                if rule.id == fault_id:
                    return rule
        raise ControlError(f"no fault {fault_id} is in force")


def _default_method(kind: str) -> str | None:
    if kind in WATCH_KINDS:
        return "events.watch"
    if kind in LISTING_KINDS:
        return "events.list"
    return "token" if kind in OAUTH_REFUSALS and kind not in REFUSALS else None


def _matches(rule: Rule, call: Call) -> bool:
    wanted = [
        (rule.calendar, call.calendar),
        (rule.account, call.account),
        (rule.mode, call.mode),
        (rule.page, call.page),
    ]
    if any(want is not None and want != have for want, have in wanted):
        return False
    if (rule.kind == "sync_token_expired" and call.mode != "incremental") or (
        rule.kind == "page_token_rejected" and call.page == 1
    ):
        return False
    if rule.kind == "hold" and rule.times is not None and rule.hits >= rule.times:
        return False
    if rule.method is None:
        # Calls of the Calendar API only; OAuth's must be named, but a revoked grant is both.
        return "." in call.kind or (rule.kind == "revoked_grant" and call.kind == "token")
    return call.kind == rule.method or call.kind.startswith(f"{rule.method}.")


def _strikes(rule: Rule) -> bool:
    rule.seen += 1
    if rule.seen <= rule.skip:
        return False
    turn = rule.seen - rule.skip
    if int(turn * rule.probability) == int((turn - 1) * rule.probability):
        return False
    rule.hits += 1
    return True
