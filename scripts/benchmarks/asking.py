"""Requests of one kind from so many connections at once, each of which asks again once it is answered.

One thread waits for all of them, and a request is bytes when its turn comes: a client library in as many threads took
more of a processor than what it asked, and its own queue was most of what it told of slow answers.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

PART_BYTES = 64 * 1024
# For a whole round; far more than any takes.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Asking:
    """`request`: the next one's bytes, a request with its whole body. Any answer but 2xx ends the measure."""

    url: str
    request: Callable[[], bytes]
    connections: int
    requests: int

    def __call__(self) -> list[float]:
        """Seconds of each answer; the whole took the last figure."""
        where = urlsplit(self.url)
        open_ones = [_Asker(where.hostname or "", where.port or 80) for _ in range(self.connections)]
        try:
            began = time.perf_counter()
            took = self._ask(open_ones)
            return [*took, time.perf_counter() - began]
        finally:
            for each in open_ones:
                each.socket.close()

    def _ask(self, askers: list[_Asker]) -> list[float]:
        poll = select.poll()
        by_number = {each.socket.fileno(): each for each in askers}
        left, ends_at, took = self.requests, time.monotonic() + PATIENCE_SECONDS, list[float]()
        for each in askers[:left]:
            each.ask(self.request())
            poll.register(each.socket, select.POLLIN)
            left -= 1
        while len(took) < self.requests:
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{self.url} has not answered all within {PATIENCE_SECONDS:.0f} s")
            for number, _ in poll.poll(1000):
                seconds = by_number[number].hear()
                if seconds is None:
                    continue
                took.append(seconds)
                if left:
                    left -= 1
                    by_number[number].ask(self.request())
        return took


class _Asker:
    """One connection, kept open."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._heard = b""
        self._asked_at = 0.0

    def ask(self, request: bytes) -> None:
        self._asked_at = time.perf_counter()
        self.socket.sendall(request)

    def hear(self) -> float | None:
        """Seconds that the answer took, once it is whole."""
        part = self.socket.recv(PART_BYTES)
        if not part:
            raise ConnectionError("closed without an answer")
        self._heard += part
        if not is_whole(self._heard):
            return None
        if not self._heard.startswith(b"HTTP/1.1 2"):
            raise ConnectionError(f"answered {self._heard[:200]!r}")
        self._heard = b""
        return time.perf_counter() - self._asked_at


def is_whole(answer: bytes) -> bool:
    """Whether it is all there: without a body, of the length that it names, or chunked to its end."""
    head, ended, body = answer.partition(b"\r\n\r\n")
    if not ended:
        return False
    fields = head.lower()
    if b"\r\ntransfer-encoding: chunked" in fields:
        return body.endswith(b"0\r\n\r\n")
    _, named, length = fields.partition(b"\r\ncontent-length:")
    return len(body) >= (int(length.split(b"\r\n", 1)[0]) if named else 0)


def request_of(url: str, headers: Mapping[str, str], body: bytes = b"", method: str = "POST") -> bytes:
    where = urlsplit(url)
    fields = {"Host": where.netloc, "Accept": "*/*", **headers, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {where.path or '/'} HTTP/1.1\r\n{lines}\r\n".encode() + body
