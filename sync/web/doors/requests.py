"""Each request: its id, one line of log, its figures. Registered first, so that its end is the last to be heard.

What never reaches the application (a head that is none, a request begun and not ended) is told by `refused`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask, Response, g, request

from sync.telemetry import traces
from sync.telemetry.metrics import HTTP_DURATION, HTTP_REQUESTS
from sync.telemetry.origin import request_id_of
from sync.web.doors.guard import PROBES

HEADER = "X-Request-ID"
_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})
_CLASSES = [f"{hundred}xx" for hundred in range(10)]
# Asked every few seconds by machines: their lines would be most of the log.
_QUIET = PROBES | {"metrics.read"}

_log = structlog.get_logger("requests")


def register_requests(app: Flask) -> None:
    app.extensions["refused"] = refused
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_leave)


def refused(status: int) -> None:
    """Answered by the server itself, since it never became a request."""
    HTTP_REQUESTS.labels("none", "other", f"{status // 100}xx").inc()
    _log.info("request", route="none", status=status, caller="none")


@dataclass(slots=True)
class _Begun:
    """A request under way. `bound`: what its thread lets go at its end, for it goes on to others."""

    at: float
    id: str
    span: dict[str, Any]
    bound: ExitStack | None = None


def _begin() -> None:
    asked = request._get_current_object()  # type: ignore[attr-defined]
    begun = _Begun(time.perf_counter(), request_id_of(asked.headers.get(HEADER)), {})
    structlog.contextvars.bind_contextvars(request_id=begun.id)
    if traces.are_on():
        begun.bound = ExitStack()
        begun.span = begun.bound.enter_context(traces.span(asked.endpoint or "none", request_id=begun.id))
    g.begun = begun


def _end(answer: Response) -> Response:
    # Each look through a proxy of Flask's costs; this is on a notification's way.
    asked, kept = request._get_current_object(), g._get_current_object()  # type: ignore[attr-defined]
    begun: _Begun = kept.begun
    seconds = time.perf_counter() - begun.at
    status, caller = answer.status_code, kept.get("caller", "none")
    # Of what has no route no path is told: strangers choose it.
    route = asked.endpoint or "none"
    method = asked.method if asked.method in _METHODS else "other"
    HTTP_REQUESTS.labels(route, method, _CLASSES[status // 100]).inc()
    HTTP_DURATION.labels(route).observe(seconds)
    answer.headers[HEADER] = begun.id
    begun.span.update({"http.response.status_code": status, "caller": str(caller)})
    emit = _log.debug if route in _QUIET and status < 400 else _log.info
    emit(
        "request",
        route=route,
        method=method,
        status=status,
        duration_ms=round(seconds * 1000, 1),
        bytes=answer.calculate_content_length(),
        caller=caller,
    )
    return answer


def _leave(_failed: BaseException | None) -> None:
    begun: _Begun | None = g.pop("begun", None)
    if begun is not None and begun.bound is not None:
        begun.bound.close()
    structlog.contextvars.clear_contextvars()
