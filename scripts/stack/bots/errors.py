"""How a fake refuses: a provider's own error answer, and a command of the control API that makes no sense."""

from __future__ import annotations

from typing import Any

from scripts.stack.http_values import Response


class ControlError(Exception):
    """A command cannot be carried out; the text says why."""


class Refusal(Exception):
    """A provider's error answer, as a status and a JSON body (or a page, where its gateway answers)."""

    def __init__(self, status: int, body: Any, *, retry_after: float | None = None, page: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.page = page

    def response(self) -> Response:
        headers = {"Retry-After": f"{self.retry_after:g}"} if self.retry_after is not None else {}
        if self.page:
            return Response(self.status, str(self.body).encode(), {"Content-Type": "text/html"} | headers)
        return Response.of_json(self.body, self.status, headers, pretty=False)
