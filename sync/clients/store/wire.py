"""HTTP/1.1 over one connection: a request out, its whole answer in. Strict, since the connection is used again.

Knows sockets and bytes. What it raises is httpx's, so that nobody above tells it from httpx's own. Called by
`transport`.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

# Of one answer: what the other side sends is bounded here. More than any function of ours gives.
MOST_BYTES = 256 * 1024 * 1024
MOST_HEAD_BYTES = 64 * 1024
PART_BYTES = 256 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Answer:
    """`is_last`: nothing more can be asked over the connection."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    is_last: bool


@dataclass(slots=True)
class _Head:
    status: int
    is_last: bool
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    lengths: set[bytes] = field(default_factory=set)
    codings: list[bytes] = field(default_factory=list)

    def note(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))
        match name.lower():
            case b"content-length":
                self.lengths.update(part.strip() for part in value.split(b","))
            case b"transfer-encoding":
                self.codings.append(value.lower())
            case b"connection":
                self.is_last |= b"close" in value.lower()


class Connection:
    """For one thread at a time. After anything it raises it is of no use any more."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._came = bytearray()
        self._watch = select.poll()
        self._watch.register(connected, select.POLLIN)
        self.used_at = time.monotonic()

    def close(self) -> None:
        self._socket.close()

    def is_as_left(self) -> bool:
        """The other side has neither closed it nor said anything unasked."""
        if self._came or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return False
        return not self._watch.poll(0)

    def ask(self, head: bytes, body: bytes, *, is_head: bool, write: float | None, read: float | None) -> Answer:
        """The answer, whole. Seconds are of each step: of what the network takes or gives at once."""
        unsent = self._send(head, body, write)
        self._socket.settimeout(read)
        try:
            with _as_httpx(httpx.ReadTimeout, httpx.ReadError):
                answer = self._answer(is_head=is_head)
        except httpx.TransportError:
            if unsent is not None:
                raise unsent from None
            raise
        self.used_at = time.monotonic()
        # Whoever answers before they have read all will not read the rest as a request.
        return answer if unsent is None else Answer(answer.status, answer.fields, answer.body, is_last=True)

    def _send(self, head: bytes, body: bytes, seconds: float | None) -> httpx.WriteError | None:
        """What broke while it was sent, if the refusal may still be read: as of a body that is too large."""
        self._socket.settimeout(seconds)
        try:
            with _as_httpx(httpx.WriteTimeout, httpx.WriteError):
                if len(body) < PART_BYTES:
                    # One packet, mostly.
                    self._send_all(head + body)
                else:
                    self._send_all(head)
                    self._send_all(body)
        except httpx.WriteError as broken:
            return broken
        return None

    def _send_all(self, data: bytes) -> None:
        """Unlike `sendall`, whose time is that of the whole."""
        left = memoryview(data)
        while left:
            left = left[self._socket.send(left[:PART_BYTES]) :]

    def _answer(self, *, is_head: bool) -> Answer:
        head = self._head()
        while head.status < 200:
            # Hints, and "go on".
            head = self._head()
        if is_head or head.status in _BODILESS:
            return Answer(head.status, head.fields, b"", head.is_last)
        if head.codings:
            if head.codings != [b"chunked"]:
                raise httpx.RemoteProtocolError("a transfer coding that was not asked for")
            # Of one that names a length as well, nobody knows which one a middleman went by.
            return Answer(head.status, head.fields, b"".join(self._chunks()), head.is_last or bool(head.lengths))
        if not head.lengths:
            return Answer(head.status, head.fields, self._rest(), is_last=True)
        return Answer(head.status, head.fields, self._exactly(_length(head.lengths)), head.is_last)

    def _head(self) -> _Head:
        first, *lines = self._until(b"\r\n\r\n", MOST_HEAD_BYTES).split(b"\r\n")
        status = _STATUS_LINE.fullmatch(first)
        if status is None:
            raise httpx.RemoteProtocolError("no status line")
        head = _Head(int(status[2]), is_last=status[1] == b"0")
        for line in lines:
            found = _FIELD.fullmatch(line)
            if found is None:
                raise httpx.RemoteProtocolError("a malformed header")
            head.note(found[1], found[2])
        return head

    def _chunks(self) -> Iterator[bytes]:
        whole = 0
        while True:
            found = _CHUNK.fullmatch(self._until(b"\r\n", MOST_HEAD_BYTES))
            if found is None:
                raise httpx.RemoteProtocolError("a malformed chunk")
            size = int(found[1], 16)
            if not size:
                break
            whole += size
            _refuse_beyond(whole)
            yield self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise httpx.RemoteProtocolError("a chunk longer than it says")
        # Trailers, which nobody asked for, end with an empty line.
        while self._until(b"\r\n", MOST_HEAD_BYTES):
            pass

    def _until(self, end: bytes, most: int) -> bytes:
        searched = 0
        while (at := self._came.find(end, searched)) < 0:
            if len(self._came) > most:
                raise httpx.RemoteProtocolError("a head without end")
            searched = max(0, len(self._came) - len(end) + 1)
            self._more()
        found = bytes(self._came[:at])
        del self._came[: at + len(end)]
        return found

    def _exactly(self, count: int) -> bytes:
        _refuse_beyond(count)
        while len(self._came) < count:
            self._more()
        found = bytes(self._came[:count])
        del self._came[:count]
        return found

    def _rest(self) -> bytes:
        """Of an answer that ends with its connection."""
        while part := self._socket.recv(PART_BYTES):
            self._came += part
            _refuse_beyond(len(self._came))
        found = bytes(self._came)
        self._came.clear()
        return found

    def _more(self) -> None:
        part = self._socket.recv(PART_BYTES)
        if not part:
            raise httpx.RemoteProtocolError("cut short")
        self._came += part


def connect(address: tuple[str, int], context: ssl.SSLContext | None, seconds: float | None) -> Connection:
    """`context`: None for plain HTTP. `seconds`: of each step. Raises httpx.ConnectTimeout, httpx.ConnectError."""
    with _as_httpx(httpx.ConnectTimeout, httpx.ConnectError):
        raw = socket.create_connection(address, seconds)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Connection(raw if context is None else context.wrap_socket(raw, server_hostname=address[0]))
        except BaseException:
            raw.close()
            raise


@contextmanager
def _as_httpx(late: type[httpx.TimeoutException], broken: type[httpx.NetworkError]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as failure:
        raise late(str(failure)) from failure
    except OSError as failure:
        raise broken(str(failure)) from failure


def _length(lengths: set[bytes]) -> int:
    length = next(iter(lengths))
    if len(lengths) > 1 or not length.isdigit() or len(length) > 12:
        raise httpx.RemoteProtocolError("a length that is none")
    return int(length)


def _refuse_beyond(count: int) -> None:
    if count > MOST_BYTES:
        raise httpx.RemoteProtocolError("an answer beyond all measure")
