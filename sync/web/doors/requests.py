"""Each request: its id, one line of log, its figures. Registered first, so that its end is the last to be heard.

What never reaches the application (a head that is none, a request begun and not ended) is told by `refused`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

import structlog
from flask import Flask, Response, g, request

from sync.telemetry.metrics import HTTP_DURATION, HTTP_REQUESTS
from sync.telemetry.origin import Origin, request_id_of, under
from sync.telemetry.traces import span
from sync.web.doors.guard import PROBES

HEADER = "X-Request-ID"
_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})
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


def _begin() -> None:
    g.began = time.perf_counter()
    g.request_id = request_id_of(request.headers.get(HEADER))
    # A thread goes on to other requests: what is bound here is let go at the end.
    g.bound = ExitStack()
    g.bound.enter_context(under(Origin(g.request_id)))
    g.span = g.bound.enter_context(span(request.endpoint or "none", request_id=g.request_id))


def _end(answer: Response) -> Response:
    seconds = time.perf_counter() - g.began
    # Of what has no route no path is told: strangers choose it.
    route = request.endpoint or "none"
    method = request.method if request.method in _METHODS else "other"
    HTTP_REQUESTS.labels(route, method, f"{answer.status_code // 100}xx").inc()
    HTTP_DURATION.labels(route).observe(seconds)
    answer.headers[HEADER] = g.request_id
    g.span.update({"http.response.status_code": answer.status_code, "caller": str(g.get("caller", "none"))})
    emit = _log.debug if route in _QUIET and answer.status_code < 400 else _log.info
    emit(
        "request",
        route=route,
        method=method,
        status=answer.status_code,
        duration_ms=round(seconds * 1000, 1),
        bytes=answer.calculate_content_length(),
        caller=g.get("caller", "none"),
    )
    return answer


def _leave(_failed: BaseException | None) -> None:
    bound = g.pop("bound", None)
    if bound is not None:
        bound.close()
