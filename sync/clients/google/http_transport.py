"""One httplib2 connection pool per thread: httplib2 is not thread-safe. Shared by the Google clients.

A server may close a connection that is idle, and a request may meet that end: then it is sent once more on a new
connection, whatever it asks for. It had no answer and most likely no reader. If it was read nevertheless, reading,
stopping, refreshing and revoking do no harm twice; a second `watch` is refused for its channel id and counts as one
whose answer was lost; a second use of an authorization code is refused, as its answer would be lost for good.

An answer is bounded as a whole: in bytes as sent, in bytes unpacked, and in time. httplib2 bounds the ratio of packing
only, by an error that is none of its own kind, and time between two reads.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
import zlib
from contextlib import suppress
from typing import Any

import httplib2

from sync.clients.retrying import LEAST_SECONDS, seconds_left

# Google answers in tens to hundreds of milliseconds; a page of 250 events may take a second. For connecting, sending,
# and from a request's last byte to its answer's last.
TIMEOUT_SECONDS = 20.0
# Ten times the largest page that 250 events can be.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# What httplib2 asks for. Any other encoding is left to it.
PACKED = frozenset({"gzip", "x-gzip", "deflate", "zlib"})


class TooManyBytes(http.client.HTTPException):
    """An answer beyond MAX_ANSWER_BYTES."""


class TooLong(http.client.HTTPException):
    """An answer that did not end within its time although bytes came."""


class BrokenPacking(http.client.HTTPException):
    """A packed body that is cut, or none."""


class ThreadHttp(threading.local):
    """`.http` is this thread's own connection."""

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.http = _KeptAlive(timeout=timeout_seconds)
        # Redirects would carry the bearer token to another host.
        self.http.follow_redirects = False


class _KeptAlive(httplib2.Http):
    def request(self, *args: Any, **kwargs: Any) -> Any:
        was_idle = any(connection.sock is not None for connection in self.connections.values())
        try:
            return self._once(*args, **kwargs)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            # Also http.client.RemoteDisconnected: the end before the first byte of an answer.
            self.close()
            if not was_idle:
                raise
        return self._once(*args, **kwargs)

    def _once(self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **kwargs: Any) -> Any:
        scheme, authority, target, _ = httplib2.urlnorm(uri)
        connection = self.connections.get(f"{scheme}:{authority}")
        if connection is not None and headers and "accept-encoding" in headers:
            # What httplib2 does before it asks is for caches, challenges and addresses outside of ASCII, of which
            # there are none here, and reads the address letter by letter. http.client refuses spaces and controls.
            return self._conn_request(connection, target, method, body, headers)  # type: ignore[attr-defined]
        kwargs["connection_type"] = _HttpConnection if scheme == "http" else _HttpsConnection
        return super().request(uri, method, body, headers, **kwargs)


class _BoundedReader(io.RawIOBase):
    """A socket's bytes, up to a size and, as a whole, to the socket's own timeout. `http.client` reads head and body
    through it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._left = MAX_ANSWER_BYTES
        self._timeout = sock.gettimeout() or TIMEOUT_SECONDS
        self._deadline = time.monotonic() + min(self._timeout, max(seconds_left(), LEAST_SECONDS))
        self._has_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooLong
        self._sock.settimeout(left)
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            if self._has_begun:
                raise TooLong from None
            raise
        finally:
            # The next request on this connection is sent under it.
            with suppress(OSError):
                self._sock.settimeout(self._timeout)
        self._has_begun = True
        self._left -= count or 0
        if self._left < 0:
            raise TooManyBytes
        return int(count or 0)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedAnswer(http.client.HTTPResponse):
    """Unpacks by itself, so that what the far side packs well is no error, and what it packs monstrously is one."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock))
        self._is_packed = False

    def begin(self) -> None:
        super().begin()
        if (self.headers.get("content-encoding") or "").lower() in PACKED:
            self._is_packed = True
            del self.headers["content-encoding"]

    def read(self, amt: int | None = None) -> bytes:
        body = super().read(amt)
        return _unpacked(body) if self._is_packed and body else body


def _unpacked(body: bytes) -> bytes:
    try:
        return _inflated(body, zlib.MAX_WBITS | 32)
    except zlib.error:
        pass
    try:
        # "deflate" without zlib's frame, as some servers understand it.
        return _inflated(body, -zlib.MAX_WBITS)
    except zlib.error as broken:
        raise BrokenPacking from broken


def _inflated(body: bytes, window: int) -> bytes:
    packed = zlib.decompressobj(window)
    plain = packed.decompress(body, MAX_ANSWER_BYTES + 1)
    if len(plain) > MAX_ANSWER_BYTES:
        raise TooManyBytes
    if not packed.eof:
        raise BrokenPacking
    return plain


class _HttpConnection(httplib2.HTTPConnectionWithTimeout):
    response_class = _BoundedAnswer


class _HttpsConnection(httplib2.HTTPSConnectionWithTimeout):
    response_class = _BoundedAnswer
