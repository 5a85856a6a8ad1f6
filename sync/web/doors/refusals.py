"""What is answered to a request that never reaches the application: a problem like any other, with the security
headers, as bytes. Nothing of the request is in it. Called by `patient_worker`."""

from __future__ import annotations

import http
from collections.abc import Mapping

from sync.web.doors.problems import Problem, problem_response

_DETAILS = {
    408: "The request was not all here in time.",
    414: "The request line is too long.",
    431: "The request's head is too large.",
    500: "The service failed here; its log says more.",
}


def refusal(status: int, headers: Mapping[str, str]) -> bytes:
    """The whole answer; the connection ends with it. `headers`: those that every answer has."""
    phrase = http.HTTPStatus(status).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    answer = problem_response(Problem(status, code, _DETAILS.get(status, "The request cannot be read.")))
    answer.headers.update(headers)
    answer.headers.update({"Connection": "close", "Content-Length": str(len(answer.get_data()))})
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode("latin-1") + answer.get_data()
