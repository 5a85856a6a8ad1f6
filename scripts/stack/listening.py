"""An emulated service on a socket: threaded HTTP/1.1 with keep-alive, able to reset connections and truncate bodies.

Owns sockets and threads; knows nothing of what is served. Used by the Google emulator and the fakes of bot providers.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar

from scripts.stack.http_values import IDLE_SECONDS, Request, Response

RequestT = TypeVar("RequestT", bound=Request)


class Listening(Generic[RequestT]):
    """One service, listening from `start` on; `stop` closes every connection, as an outage does, and keeps the address
    for the next `start`."""

    def __init__(
        self,
        name: str,
        answer: Callable[[RequestT, str], Response],
        request_type: type[RequestT],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Port 0 picks a free one."""
        self._name = name
        self._answer = answer
        self._request_type = request_type
        self._address = (host, port)
        self._listener: Listener[RequestT] | None = None

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash; known after `start`."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def is_on(self) -> bool:
        return self._listener is not None

    def start(self) -> None:
        """Listen, and serve from a thread of its own."""
        self._listener = Listener(self._address, self._answer, self._request_type)
        self._address = (self._address[0], self._listener.server_port)
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), name=self._name, daemon=True).start()

    def stop(self) -> None:
        """Close the socket and every connection."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener.close_connections()
            self._listener = None


class Listener(ThreadingHTTPServer, Generic[RequestT]):
    """Serves each connection from a thread of its own. `answer` gets the request and the caller's address."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], answer: Callable[[RequestT, str], Response], request_type: type[RequestT]
    ) -> None:
        self.answer = answer
        self.request_type = request_type
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's reverse DNS look-up, which can take seconds offline."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then serve it from a thread of its own."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that is done."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Break the connections that clients keep alive."""
        with self._lock:
            open_now = list(self._connections)
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is everyday life; anything else is the emulated service's bug and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ESF"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: Listener[Request]

    def _serve(self) -> None:
        self.connection.settimeout(IDLE_SECONDS)
        body = self._read_body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = self.server.request_type(self.command, self.path, headers, body)
        self._send(self.server.answer(request, self.client_address[0]))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names http.server looks for

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, response: Response) -> None:
        if response.effect == "reset":
            self._reset()
            return
        body = response.body
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if response.effect == "truncate":
            # The promised length stays; the connection ends halfway.
            body = body[: len(body) // 2]
            self.close_connection = True
        self._headers_buffer: list[bytes]
        self._headers_buffer.append(b"\r\n" + (body if response.status not in (204, 304) else b""))
        self.flush_headers()
        self._allow_idle(response.idle_seconds)

    def _allow_idle(self, seconds: float) -> None:
        # Nothing announces the end: a client learns of it when it sends its next request into the closed connection.
        if seconds > 0:
            self.connection.settimeout(seconds)
        else:
            self.close_connection = True

    def _reset(self) -> None:
        # Lingering for zero seconds makes close() send RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: request lines carry tokens in their queries."""
