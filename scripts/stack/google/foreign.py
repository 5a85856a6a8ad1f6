"""Answers that are not Google's: what a proxy, a captive portal or a broken gateway says in its place.

Owns their bodies. A fault names the kind; emulator.py sends them. None of them says anything about a calendar.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache

from .errors import ControlError
from .http import Response

# 502–504 as a gateway says them, and those beyond the standard: Cloudflare's 520–530, and 540 (site frozen).
GATEWAY_STATUSES = frozenset((502, 503, 504, *range(520, 531), 540))

OVERSIZED_BYTES = 80 * 1024 * 1024


def _html(status: int, title: str) -> Response:
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(status, body.encode(), {"Content-Type": "text/html; charset=UTF-8"})


def _without_code() -> Response:
    return Response.of_json({"error": {"message": "Internal error encountered.", "status": "INTERNAL"}}, 500)


FOREIGN: dict[str, Callable[[int], Response]] = {
    "html_403": lambda _: _html(403, "Sorry... your computer or network may be sending automated queries"),
    "captive_portal": lambda _: _html(200, "Welcome to our network. Please sign in"),
    "backend_500_without_code": lambda _: _without_code(),
    "gateway": lambda status: _html(status, f"Error {status}"),
}


@cache
def oversized() -> bytes:
    """A body of a few kilobytes that unpacks to more than any client should take."""
    return gzip.compress(b'{"items": [' + b" " * OVERSIZED_BYTES + b"]}")


def check_status(kind: str, status: int) -> None:
    """ControlError for a status that no gateway is known to answer."""
    if kind == "gateway" and status not in GATEWAY_STATUSES:
        raise ControlError(f"a gateway answers one of {sorted(GATEWAY_STATUSES)}, not {status!r}")
