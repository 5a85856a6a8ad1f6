"""The little HTTP/1.1 the gateway needs: read a message from a socket file, write one back. No TLS, no upgrades.

Bodies are read whole: an answer has at most 1000 rows, and one write per message keeps latency low. The standard
library's http.server and http.client parse headers as e-mail, which costs more than PostgREST's own work on a call.
Called by gateway.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MAX_LINE = 65_536
MAX_HEADERS = 200
MAX_BODY = 64 * 1024 * 1024
REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}
# A proxy answers for its own connection (RFC 9110 §7.6.1), and frames the body itself.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
}

Headers = list[tuple[str, str]]


class Readable(Protocol):
    """The reading half of a socket file."""

    def readline(self, size: int = -1, /) -> bytes: ...
    def read(self, size: int = -1, /) -> bytes: ...


class Writable(Protocol):
    """The writing half of a socket file."""

    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> object: ...


class BadMessage(Exception):  # reads as what it is where it is raised
    """The peer did not speak HTTP/1.1 as this module knows it."""


@dataclass(frozen=True)
class Request:
    """One request: the target as sent, header names in lower case."""

    method: str
    target: str
    headers: Headers
    body: bytes
    keep_alive: bool

    def header(self, name: str) -> str | None:
        """The first header of that (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True)
class Response:
    """One answer, ready to be written with its own framing."""

    status: int
    headers: Headers
    body: bytes
    reason: str = ""
    keep_alive: bool = True

    def encode(self, *, head_only: bool, keep_alive: bool) -> bytes:
        """The bytes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {self.reason or REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name not in HOP_BY_HOP]
        if self.status not in (204, 304):
            lines.append(f"content-length: {len(self.body)}")
        lines.append(f"connection: {'keep-alive' if keep_alive else 'close'}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return head if head_only else head + self.body


def _read_line(stream: Readable) -> str:
    line = stream.readline(MAX_LINE)
    if line and not line.endswith(b"\n"):
        raise BadMessage("line too long or cut off")
    return line.rstrip(b"\r\n").decode("latin-1")


def _read_headers(stream: Readable) -> Headers:
    headers: Headers = []
    while line := _read_line(stream):
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or len(headers) >= MAX_HEADERS:
            raise BadMessage("bad header")
        headers.append((name.lower(), value.strip()))
    return headers


def _read_exactly(stream: Readable, length: int) -> bytes:
    body = stream.read(length)
    if len(body) != length:
        raise BadMessage("body cut off")
    return body


def _read_chunks(stream: Readable) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while True:
        length = _number(_read_line(stream).partition(";")[0].strip(), 16)
        total += length
        if total > MAX_BODY:
            raise BadMessage("body too large")
        if length == 0:
            break
        chunks.append(_read_exactly(stream, length))
        _read_line(stream)
    while _read_line(stream):  # trailers
        pass
    return b"".join(chunks)


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError as error:
        raise BadMessage("bad length") from error
    if not 0 <= number <= MAX_BODY:
        raise BadMessage("body too large")
    return number


def _framing(headers: Headers) -> tuple[bool, int | None]:
    """Whether the body is chunked, and its declared length."""
    fields = dict(headers)
    if "chunked" in fields.get("transfer-encoding", "").lower():
        return True, None
    length = fields.get("content-length")
    return False, None if length is None else _number(length, 10)


def _persists(version: str, headers: Headers) -> bool:
    connection = dict(headers).get("connection", "").lower()
    return "close" not in connection if version == "HTTP/1.1" else "keep-alive" in connection


def read_request(stream: Readable, answer: Writable) -> Request | None:
    """The next request, or None when the client has closed. `answer` gets the 100 a client waits for."""
    line = _read_line(stream)
    if not line:
        return None
    try:
        method, target, version = line.split(" ")
    except ValueError as error:
        raise BadMessage("bad request line") from error
    headers = _read_headers(stream)
    chunked, length = _framing(headers)
    if dict(headers).get("expect", "").lower() == "100-continue":
        answer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        answer.flush()
    body = _read_chunks(stream) if chunked else _read_exactly(stream, length or 0)
    return Request(method, target, headers, body, _persists(version, headers))


def read_response(stream: Readable, method: str) -> Response:
    """The answer to a request of that method. Raises BadMessage also when the server closed without answering."""
    line = _read_line(stream)
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise BadMessage("no answer")
    headers = _read_headers(stream)
    keep_alive = _persists(version, headers)
    chunked, length = _framing(headers)
    if method == "HEAD" or int(status) in (204, 304):
        body = b""
    elif chunked:
        body = _read_chunks(stream)
    elif length is not None:
        body = _read_exactly(stream, length)
    else:
        body, keep_alive = stream.read(), False
    return Response(int(status), headers, body, reason, keep_alive)
