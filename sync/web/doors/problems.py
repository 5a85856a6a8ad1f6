"""Errors as answers: `application/problem+json` (RFC 9457) with a stable `code` and a sentence, never a secret."""

from __future__ import annotations

import http
import json
import math
from collections.abc import Callable

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from sync.core.operations.mends import sentence_of
from sync.errors import (
    RetryLater,
    StoreMisconfigured,
    StoreUnavailable,
    SyncError,
    TokenUnreadable,
    UpstreamDown,
)

_log = structlog.get_logger("requests")


class Problem(Exception):
    """Raised anywhere under a route: becomes the answer. `suspicion`: as what kind of attempt it is counted."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: dict[str, str] | None = None,
        *,
        suspicion: str | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.suspicion = suspicion


def problem_response(problem: Problem) -> Response:
    body = {
        "type": "about:blank",
        "title": http.HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "success": False,
    }
    response = Response(json.dumps(body), problem.status, content_type="application/problem+json")
    response.headers.update(problem.headers)
    return response


def _of_failure(failure: SyncError) -> Problem:
    """A typed failure that no route has named: what passes is 503, the rest is ours."""
    if isinstance(failure, UpstreamDown):
        wait = str(math.ceil(failure.seconds))
        return Problem(503, "google_unavailable", "Google does not answer now; try again.", {"Retry-After": wait})
    if isinstance(failure, StoreMisconfigured):
        return Problem(503, failure.code, sentence_of(failure.code), {"Retry-After": "60"})
    if isinstance(failure, StoreUnavailable):
        return Problem(503, "store_unavailable", "The database does not answer now; try again.", {"Retry-After": "5"})
    if isinstance(failure, RetryLater):
        return Problem(503, "google_unavailable", "Google does not answer now; try again.", {"Retry-After": "30"})
    if isinstance(failure, TokenUnreadable):
        return Problem(409, "needs_reauth", f"The stored grant cannot be read ({failure.code}); connect again.")
    return Problem(500, failure.code if failure.code.isidentifier() else "internal_error", "The service failed here.")


def register_problems(app: Flask, judge: Callable[[Problem], Problem]) -> None:
    """`judge` may answer a refusal with another problem."""

    @app.errorhandler(Problem)
    def of_problem(problem: Problem) -> Response:
        return problem_response(judge(problem))

    @app.errorhandler(SyncError)
    def of_failure(failure: SyncError) -> Response:
        _log.warning("request_failed", error_code=failure.code, detail=failure.detail)
        return problem_response(_of_failure(failure))

    @app.errorhandler(HTTPException)
    def of_http(error: HTTPException) -> Response:
        status = error.code or 500
        code = (error.name or "error").lower().replace(" ", "_")
        answer = problem_response(Problem(status, code, error.description or "The request cannot be answered."))
        for name, value in error.get_headers():
            if name.lower() == "allow":
                answer.headers[name] = value
        return answer

    @app.errorhandler(Exception)
    def of_bug(bug: Exception) -> Response:
        _log.error("request_bug", error=type(bug).__name__, exc_info=bug)
        return problem_response(Problem(500, "internal_error", "The service failed here; its log says more."))
