"""One connection to the store: a request out, its whole answer in. h11 speaks HTTP; here are the socket and its times.

What is raised is httpx's, so that nobody above tells it from httpx's own. Called by `transport`.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h11
import httpx

# Of one answer: what the other side sends is bounded here. More than any function of ours gives.
MOST_BYTES = 256 * 1024 * 1024
MOST_HEAD_BYTES = 64 * 1024
PART_BYTES = 256 * 1024

Fields = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`is_last`: nothing more can be asked over the connection."""

    status: int
    fields: Fields
    body: bytes
    is_last: bool


class Connection:
    """For one thread at a time. After anything it raises it is of no use any more."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD_BYTES)
        self._watch = select.poll()
        self._watch.register(connected, select.POLLIN)
        self.used_at = time.monotonic()
        # Of the call under way: when it must have its answer whole.
        self._ends_at = math.inf

    def close(self) -> None:
        self._socket.close()

    def is_as_left(self) -> bool:
        """The other side has neither closed it nor said anything unasked."""
        came, _ = self._http.trailing_data
        if came or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return False
        return not self._watch.poll(0)

    def ask(
        self,
        method: str,
        target: bytes,
        fields: Fields,
        body: bytes,
        *,
        write: float | None,
        read: float | None,
        ends_at: float,
    ) -> Answer:
        """The answer, whole. Seconds are of each step: of what the network takes or gives at once; `ends_at`
        (monotonic): of all of them."""
        self._ends_at = ends_at
        unsent = self._send(self._written(method, target, fields, body), write)
        try:
            with _as_httpx(httpx.ReadTimeout, httpx.ReadError):
                answer = self._answer(read)
        except httpx.TransportError:
            if unsent is not None:
                raise unsent from None
            raise
        self.used_at = time.monotonic()
        # Whoever answers before they have read all will not read the rest as a request.
        return answer if unsent is None else Answer(answer.status, answer.fields, answer.body, is_last=True)

    def _written(self, method: str, target: bytes, fields: Fields, body: bytes) -> bytes:
        try:
            parts = [self._http.send(h11.Request(method=method, target=target, headers=fields))]
            parts += [self._http.send(h11.Data(data=body)), self._http.send(h11.EndOfMessage())]
        except h11.LocalProtocolError as refused:
            # Such as a value that would be a header, or a request, of its own.
            raise httpx.LocalProtocolError(str(refused)) from None
        return b"".join(part for part in parts if part)

    def _send(self, data: bytes, seconds: float | None) -> httpx.WriteError | None:
        """What broke while it was sent, if the refusal may still be read: as of a body that is too large."""
        try:
            with _as_httpx(httpx.WriteTimeout, httpx.WriteError):
                # Unlike `sendall`, whose time is that of the whole.
                left = memoryview(data)
                while left:
                    self._socket.settimeout(seconds_of(seconds, self._ends_at))
                    left = left[self._socket.send(left[:PART_BYTES]) :]
        except httpx.WriteError as broken:
            return broken
        return None

    def _answer(self, seconds: float | None) -> Answer:
        head: h11.Response | None = None
        body = bytearray()
        while True:
            event = self._event(seconds)
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MOST_BYTES:
                    raise httpx.RemoteProtocolError("an answer beyond all measure")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            # Else hints, and "go on".
        return Answer(
            head.status_code, list(head.headers.raw_items()), bytes(body), is_last=not self._is_good_for_more(head)
        )

    def _event(self, seconds: float | None) -> object:
        """The next of the answer's."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._socket.settimeout(seconds_of(seconds, self._ends_at))
                self._http.receive_data(self._socket.recv(PART_BYTES))
        except h11.RemoteProtocolError as wrong:
            raise httpx.RemoteProtocolError(str(wrong)) from None
        if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            raise httpx.RemoteProtocolError("no answer")
        return event

    def _is_good_for_more(self, head: h11.Response) -> bool:
        """Of an answer that is chunked and names a length as well, nobody knows which one a middleman went by."""
        names = {name for name, _ in head.headers}
        is_done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not is_done or names >= {b"content-length", b"transfer-encoding"}:
            return False
        self._http.start_next_cycle()
        return True


def connect(
    address: tuple[str, int], context: ssl.SSLContext | None, seconds: float | None, ends_at: float
) -> Connection:
    """`context`: None for plain HTTP. `seconds`: of each step; `ends_at` (monotonic): of all of them. Raises
    httpx.ConnectTimeout, httpx.ConnectError."""
    with _as_httpx(httpx.ConnectTimeout, httpx.ConnectError):
        raw = socket.create_connection(address, seconds_of(seconds, ends_at))
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(seconds_of(seconds, ends_at))
            return Connection(raw if context is None else context.wrap_socket(raw, server_hostname=address[0]))
        except BaseException:
            raw.close()
            raise


def seconds_of(step: float | None, ends_at: float) -> float:
    """What the next step may take of the time until `ends_at`. Raises TimeoutError: nothing is left."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the call took too long")
    return left if step is None else min(step, left)


@contextmanager
def _as_httpx(late: type[httpx.TimeoutException], broken: type[httpx.NetworkError]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as failure:
        raise late(str(failure)) from failure
    except OSError as failure:
        raise broken(str(failure)) from failure
