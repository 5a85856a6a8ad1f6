"""HTTP batch: several API calls in one multipart request.

Owns taking the parts apart and putting the answers together. Each inner call is counted, throttled and faulted by
itself.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from http import HTTPStatus

from .errors import invalid
from .http import Request, Response

MAX_CALLS = 1000


def answer(request: Request, handle: Callable[[Request], Response]) -> Response:
    """The multipart answer to a multipart/mixed request."""
    boundary = re.search(r'boundary="?([^";]+)"?', request.headers.get("content-type", ""))
    if not boundary:
        error = invalid("Failed to parse batch request: no boundary.")
        return Response.of_json(error.body(), error.code)
    pieces = request.body.split(b"--" + boundary[1].encode())[1:-1]
    if len(pieces) > MAX_CALLS:
        error = invalid(f"The batch request has more than {MAX_CALLS} calls.")
        return Response.of_json(error.body(), error.code)
    limit = f"batch_{secrets.token_hex(8)}"
    parts = []
    for piece in pieces:
        content_id, inner = _read(piece, request.headers)
        response = handle(inner)
        if response.effect:
            return Response(effect=response.effect)
        parts.append(_write(content_id, response))
    body = b"".join(f"--{limit}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{limit}--\r\n".encode()
    return Response(200, body, {"Content-Type": f"multipart/mixed; boundary={limit}"})


def _read(piece: bytes, outer: dict[str, str]) -> tuple[str, Request]:
    # A part is: part headers, a blank line, then an HTTP request (request line, headers, a blank line, body).
    part_head, _, rest = piece.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n\n")
    head, _, body = rest.partition(b"\n\n")
    line, _, lines = head.strip().partition(b"\n")
    method, target = line.decode().split(" ")[:2]
    headers = _headers(lines)
    if "authorization" not in headers and "authorization" in outer:
        headers["authorization"] = outer["authorization"]
    return _headers(part_head).get("content-id", "<>"), Request(method, target, headers, body.strip())


def _headers(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.decode().splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _write(content_id: str, response: Response) -> bytes:
    answered = content_id.replace("<", "<response-", 1)
    headers = {"Content-Length": str(len(response.body))} | response.headers
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    status = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
    return (
        f"Content-Type: application/http\r\nContent-ID: {answered}\r\n\r\n{status}{head}\r\n".encode() + response.body
    )
