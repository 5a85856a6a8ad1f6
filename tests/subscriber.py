"""A subscriber: an HTTP server that records what it is told, and answers as the test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

Headers = dict[str, str]
Reply = int | tuple[int, Headers]


@dataclass(frozen=True)
class Message:
    id: str
    headers: Headers
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found

    def is_signed_with(self, secret: str) -> bool:
        try:
            Webhook(secret).verify(self.raw, self.headers)
        except WebhookVerificationError:
            return False
        return True


class Subscriber:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.accepted: list[Message] = []
        self.answer: Callable[[Message], Reply] = lambda _message: 204
        self.url = ""
        self._lock = threading.Lock()

    def told(self, message: Message) -> Reply:
        with self._lock:
            self.messages.append(message)
        reply = self.answer(message)
        status = reply if isinstance(reply, int) else reply[0]
        if 200 <= status < 300:
            with self._lock:
                self.accepted.append(message)
        return reply

    @property
    def types(self) -> list[str]:
        return [message.body["type"] for message in self.accepted]


@contextmanager
def subscriber(replies: Sequence[Reply] = ()) -> Iterator[Subscriber]:
    """`replies`: the first answers, one after the other; then 204."""
    told, left = Subscriber(), list(replies)
    if left:
        told.answer = lambda _message: left.pop(0) if left else 204

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = told.told(Message(headers.get("webhook-id", ""), headers, raw))
            status, more = (reply, {}) if isinstance(reply, int) else reply
            self.send_response(status)
            for name, value in {"Content-Length": "0", **more}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        # Many are sent at once: with five, one of them would be heard a second later.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
