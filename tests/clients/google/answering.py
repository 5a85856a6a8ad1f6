"""A server that answers as it is told: for answers that the emulator, being faithful, would never give."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answers:
    """`status`, `headers` and `body` of every answer from now on; `requests` counts.

    `script`: bodies to give first, one a request. `hang_up`: the connection is closed after each answer, unannounced,
    as a server does with one that is idle for long; `hung_up` tells when. `drip_seconds`: between any two bytes of a
    body. `heads`: the request lines that came; `received`: their headers and bodies.
    """

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    script: list[bytes] = field(default_factory=list)
    hang_up: bool = False
    drip_seconds: float = 0.0
    heads: list[str] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hung_up: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def answering() -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet.
        wbufsize = -1

        def _answer(self) -> None:
            answers.received.append((dict(self.headers), self.rfile.read(int(self.headers.get("Content-Length") or 0))))
            answers.requests += 1
            answers.heads.append(self.requestline)
            body = answers.script.pop(0) if answers.script else answers.body
            self.send_response(answers.status)
            for name, value in {"Content-Length": str(len(body)), **answers.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self._give(body)
            self.close_connection = answers.hang_up

        def _give(self, body: bytes) -> None:
            if not answers.drip_seconds:
                self.wfile.write(body)
                return
            with suppress(ConnectionError):
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(answers.drip_seconds)
            self.close_connection = True

        def finish(self) -> None:
            super().finish()
            if answers.hang_up:
                # A reset, so that the client's next byte fails for certain.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                answers.hung_up.release()

        do_GET = do_POST = _answer  # noqa: N815 - names http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield answers
        server.shutdown()
