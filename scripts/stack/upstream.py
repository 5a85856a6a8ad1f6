"""One kept-alive connection to PostgREST, used by one thread of the gateway. Called by gateway.py.

A call is sent once and never again: the gateway cannot know whether a call whose answer is missing was executed.
"""

from __future__ import annotations

import json
import select
import socket
import time
from contextlib import suppress
from typing import BinaryIO

from scripts.stack.http1 import HOP_BY_HOP, BadMessage, Request, Response, read_response

ANSWER_SECONDS = 60.0
# PostgREST closes a connection idle for 30 s; giving it up well before leaves no moment to write into a closing one.
IDLE_SECONDS = 10.0
_NOT_FORWARDED = HOP_BY_HOP | {"host", "apikey", "authorization", "expect"}


def _failure(status: int, message: str) -> Response:
    body = json.dumps({"message": message}).encode()
    return Response(status, [("content-type", "application/json; charset=utf-8")], body)


class Upstream:
    """The connection; opened when first needed and again when it has been idle or closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._stream: BinaryIO | None = None
        self._used_at = 0.0

    def exchange(self, request: Request, target: str, authorization: str | None) -> Response:
        """Send the request on and return the answer; 502 or 504 in the gateway's own words when there is none."""
        try:
            connection, stream = self._connected()
            connection.sendall(self._encode(request, target, authorization))
            response = read_response(stream, request.method)
        except TimeoutError:
            self.close()
            return _failure(504, "The upstream server is timing out")
        except (OSError, BadMessage):
            self.close()
            return _failure(502, "An invalid response was received from the upstream server")
        self._used_at = time.monotonic()
        if not response.keep_alive:
            self.close()
        return response

    def close(self) -> None:
        """Give the connection up."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._stream = None

    def _connected(self) -> tuple[socket.socket, BinaryIO]:
        if self._socket is not None and self._is_stale(self._socket):
            self.close()
        if self._socket is None or self._stream is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._socket.makefile("rb")
        return self._socket, self._stream

    def _is_stale(self, connection: socket.socket) -> bool:
        """Idle too long, or readable although nothing was asked: the other side has closed."""
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            return True
        poller = select.poll()  # select() would fail on descriptors from 1024
        poller.register(connection, select.POLLIN)
        return bool(poller.poll(0))

    def _encode(self, request: Request, target: str, authorization: str | None) -> bytes:
        lines = [f"{request.method} {target} HTTP/1.1", f"host: 127.0.0.1:{self._port}"]
        lines += [f"{name}: {value}" for name, value in request.headers if name not in _NOT_FORWARDED]
        if authorization:
            lines.append(f"authorization: {authorization}")
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            lines.append(f"content-length: {len(request.body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body
