"""A request and its answer as plain values, between the socket (listening.py) and an emulated service.

Owns parsing of queries, forms and JSON bodies, and the raw effects an answer may have (reset, truncation).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

IDLE_SECONDS = 120.0


@dataclass
class Request:
    """One HTTP request; header names are lower-case."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """Every query parameter with all its values."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def form(self) -> dict[str, str]:
        """The fields of a form body."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    def json_object(self) -> dict[str, Any]:
        """The JSON object in the body; ValueError for anything else."""
        value = json.loads(self.body or b"{}")
        if not isinstance(value, dict):
            raise ValueError("no JSON object")
        return value


@dataclass
class Response:
    """One answer. `effect` is what the socket does to it: nothing, "reset" (RST, no answer) or "truncate".

    `idle_seconds` is how long the connection then waits for its next request before it is closed, unannounced.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    effect: str | None = None
    idle_seconds: float = IDLE_SECONDS

    @classmethod
    def of_json(
        cls, value: Any, status: int = 200, headers: dict[str, str] | None = None, *, pretty: bool = True
    ) -> Response:
        """A JSON answer."""
        body = json.dumps(value, indent=1 if pretty else None, ensure_ascii=False).encode()
        return cls(status, body, {"Content-Type": "application/json; charset=UTF-8"} | (headers or {}))
