"""A port for /metrics of a process that has no other: the jobs' worker. Answers the bearer of the token.

Plain HTTP, each request in a thread with a deadline: for a network of one's own.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from sync.telemetry.exposition import CONTENT_TYPE

Start = Callable[[str, list[tuple[str, str]]], Any]

REQUEST_SECONDS = 10.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: a scrape is no news."""


def open_port(host: str, port: int, token: str, text: Callable[[], bytes]) -> WSGIServer:
    """Answers from a thread, until the process ends or it is shut down. Raises OSError where the port is taken."""
    expected = f"Bearer {token}".encode()

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
        if environ["PATH_INFO"] != "/metrics":
            status, body = "404 Not Found", b""
        elif not hmac.compare_digest(given, expected):
            status, body = "401 Unauthorized", b""
        else:
            status, body = "200 OK", text()
        start(status, [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server(host, port, answer, server_class=_Server, handler_class=_Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
