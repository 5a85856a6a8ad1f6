"""Watches what comes in: throttles addresses that prove nothing, counts what is suspicious, sets the answers' headers.

A request is proven once its credential was found good (`mark_proven`). A proven one is never throttled for what others
do from the same address (behind one proxy, everybody may share one); an unproven one counts against its address, and
past the limit it is answered 429 instead of what it would have got. A return from Google's consent page is heard past
the limit too, a few times for each state: it cannot prove itself before its flow is taken. Registered by `app`; called
by `auth` and routes.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import Headers
from werkzeug.middleware.proxy_fix import ProxyFix

from sync.core.accounts.addresses import customer, network
from sync.jobs.operations.security_events import SecurityEvents
from sync.settings import Settings
from sync.telemetry.metrics import REFUSALS
from sync.web.doors.limits import Limits
from sync.web.doors.problems import Problem
from sync.web.doors.returns import Returns

# The platform's probes: throttling them would take the service out of the platform's hands.
PROBES = frozenset({"health.alive", "health.ready"})
# Prove themselves in their routes, by a channel's token or a signature; what is refused there is judged like every
# refusal.
WEBHOOKS = frozenset({"webhook.receive", "bot_status.receive"})

# For every answer; a page that needs more sets its own.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
# A year, the least that browsers' preload lists accept.
HSTS = "max-age=31536000"

_log = structlog.get_logger("guard")


class Guard:
    """One per process. `proves`: whether a request's headers hold a good credential of the service or of a user."""

    def __init__(
        self, settings: Settings, proves: Callable[[Headers], bool], returns: Returns, events: SecurityEvents
    ) -> None:
        self._proves = proves
        self._returns = returns
        self._events = events
        self._limits = Limits()
        self._proxies = settings.trusted_proxies
        is_https = any(url.startswith("https:") for url in settings.webhook_base_urls.values())
        # Of every answer, also of those that no application gives.
        self.headers = {**HEADERS, **({"Strict-Transport-Security": HSTS} if is_https else {})}
        self._has_warned = False

    def register(self, app: Flask) -> None:
        if self._proxies:
            # The platform's proxies append what they see; only so many entries from the right are theirs.
            app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
                app.wsgi_app, x_for=self._proxies, x_proto=self._proxies, x_host=0, x_port=0, x_prefix=0
            )
        app.extensions["guard"] = self
        app.before_request(self._before)
        app.after_request(self._after)

    def note(self, kind: str) -> None:
        """Counts something suspicious about this request. Costs no call."""
        REFUSALS.labels(kind).inc()
        self._events.note(kind, network(request.remote_addr))

    def count_user(self, user_id: str) -> None:
        """Raises Problem 429."""
        seconds = self._limits.count_user(user_id)
        if seconds is not None:
            self.note("throttled")
            raise _throttled(seconds)

    def count_sign_in(self) -> int | None:
        """Counts a wrong token at the dashboard. Seconds until one is heard again; None: this one was."""
        self.note("refused_key")
        return self._limits.count_sign_in(customer(request.remote_addr))

    def judge(self, problem: Problem) -> Problem:
        """What is answered instead of a refusal: itself, or 429 to an address that was refused too often."""
        if problem.suspicion is None:
            return problem
        self.note(problem.suspicion)
        seconds = None if is_proven() else self._limits.closed_for(customer(request.remote_addr))
        if seconds is not None:
            return _throttled(seconds)
        # Not once throttled: the log of an attack is bounded too.
        _log.warning(
            "refused", kind=problem.suspicion, network=network(request.remote_addr), path=str(request.url_rule)
        )
        return problem

    def close(self) -> None:
        """Stores what was counted and not stored yet."""
        self._events.close()

    def _before(self) -> None:
        if "X-Forwarded-For" in request.headers and not self._proxies and not self._has_warned:
            self._has_warned = True
            _log.warning("proxy_not_trusted", mend="behind a proxy, set TRUSTED_PROXIES to the number of proxies")
        if _is_free() or request.endpoint in WEBHOOKS:
            return
        seconds = self._limits.closed_for(customer(request.remote_addr))
        if seconds is not None and not self._proves(request.headers) and not self._is_return():
            self.note("throttled")
            raise _throttled(seconds)

    def _is_return(self) -> bool:
        nonce = self._returns.nonce(request)
        return nonce is not None and self._limits.count_return(nonce)

    def _after(self, answer: Response) -> Response:
        if not is_proven() and not _is_free() and answer.status_code != 429:
            self._limits.count_unproven(customer(request.remote_addr))
        for name, value in self.headers.items():
            answer.headers.setdefault(name, value)
        if request.is_secure:
            answer.headers.setdefault("Strict-Transport-Security", HSTS)
        return answer


def guard() -> Guard:
    found: Guard = current_app.extensions["guard"]
    return found


def mark_proven(caller: str) -> None:
    """This request's credential was found good: whose kind it is, as the log tells it."""
    g.is_proven = True
    g.caller = caller


def is_proven() -> bool:
    return bool(g.get("is_proven", False))


def _is_free() -> bool:
    """Probes, and browsers' preflights, which carry no credential and cost nothing."""
    return request.endpoint in PROBES or request.method == "OPTIONS"


def _throttled(seconds: int) -> Problem:
    return Problem(
        429, "too_many_requests", f"Too many requests; try again in {seconds} seconds.", {"Retry-After": str(seconds)}
    )
