"""The emulator on a socket: threaded HTTP/1.1 with keep-alive, able to reset connections and truncate bodies.

Owns sockets and threads. Refuses control commands from anywhere but loopback. Used by the stack, the tests and
`__main__`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from types import TracebackType
from typing import Any

from .control import GoogleControl
from .control_api import PREFIX, ControlApi
from .emulator import Emulator
from .http import IDLE_SECONDS, Request, Response


class EmulatorServer:
    """The emulator, listening. `start` returns once it accepts; `stop` closes every connection, as an outage does."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, clients: dict[str, str] | None = None) -> None:
        """Port 0 picks a free one; `clients` are the OAuth clients, secret by id."""
        self.emulator = Emulator(clients)
        self._address = (host, port)
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash; known after `start`."""
        host, port = self._address
        return f"http://{host}:{port}"

    @property
    def control(self) -> GoogleControl:
        """A client of its control API; good after `start`."""
        return GoogleControl(self.url)

    def start(self) -> EmulatorServer:
        """Listen (on port 0: on a free one) and serve from a thread of its own."""
        self._listener = _Listener(self._address, self.emulator)
        self._address = (self._address[0], self._listener.server_port)
        self.emulator.push.start()
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), name="google-emulator", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the socket and every connection, release held calls, stop delivering. State is kept for a `start`."""
        if self._listener is None:
            return
        self.emulator.faults.clear()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.close_connections()
        self.emulator.push.stop()
        self._listener = None

    def __enter__(self) -> EmulatorServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], emulator: Emulator) -> None:
        self.emulator = emulator
        self.control = ControlApi(emulator)
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
        """A client that hangs up is everyday life; anything else is the emulator's bug and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ESF"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: _Listener

    def _serve(self) -> None:
        self.connection.settimeout(IDLE_SECONDS)
        body = self._read_body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        if not request.path.startswith(PREFIX):
            self._send(self.server.emulator.handle(request))
        elif ip_address(self.client_address[0]).is_loopback:
            self._send(self.server.control.handle(request))
        else:
            self._send(Response(403, b""))

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
