"""Counts each request that the application answers. Registered first, so that its end is the last to be heard."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request

from sync.telemetry.metrics import HTTP_DURATION, HTTP_REQUESTS

_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})


def register_requests(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()


def _end(answer: Response) -> Response:
    # Of what has no route no path is told: strangers choose it.
    route = request.endpoint or "none"
    method = request.method if request.method in _METHODS else "other"
    HTTP_REQUESTS.labels(route, method, f"{answer.status_code // 100}xx").inc()
    HTTP_DURATION.labels(route).observe(time.perf_counter() - g.began)
    return answer
