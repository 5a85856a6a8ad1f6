"""The request and the answer as Google's API reads and gives them: the stack's own values, with its parse errors."""

from __future__ import annotations

from scripts.stack import http_values
from scripts.stack.http_values import IDLE_SECONDS, Response

from .errors import GoogleError, JsonObject

__all__ = ["IDLE_SECONDS", "Request", "Response"]


class Request(http_values.Request):
    """One HTTP request; header names are lower-case."""

    def json(self) -> JsonObject:
        """The JSON object in the body; 400 parseError as Google for anything else."""
        try:
            return self.json_object()
        except ValueError:
            raise GoogleError(400, "parseError", "Parse Error") from None
