"""The way to the store beneath supabase-py: httpx's client without what no call of the store needs, over connections
kept open.

httpx's own pool asks a lock and several layers at every step, which is most of a short call. Here a connection is taken
from the top of a stack and put back. Nothing is sent twice: whoever calls knows what may be repeated (`rpc`). Called by
`rpc`.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from urllib.request import getproxies

import httpx

from sync.clients.store.wire import Connection, connect

# Below what gateways keep an idle connection for (60 s and more).
KEEP_SECONDS = 30.0
# For a whole call whose caller sets no time: more than the greatest answer takes over a slow line.
WHOLE_SECONDS = 120.0
_PORTS = {"http": 80, "https": 443}
# Gateways turn away whoever does not say what they are.
_FIELDS = {"Accept-Encoding": "gzip, deflate", "User-Agent": f"python-httpx/{httpx.__version__}"}
_url = lru_cache(512)(httpx.URL)

Timeouts = Mapping[str, float | None]


class LeanTransport(httpx.BaseTransport):
    """Connections to one origin, `most` at once; a call waits for one for as long as its "pool" seconds. Thread-safe.

    A call's time-outs are httpx's, of each step, and "whole", of all of them: what trickles ends too.

    HTTP/1.1 with whole answers; a request's body is in memory. Knows no proxy. A process that forks leaves its
    connections to its parent. Raises what httpx' own transport does.
    """

    def __init__(
        self, origin: httpx.URL, context: ssl.SSLContext, most: int, keep_seconds: float = KEEP_SECONDS
    ) -> None:
        self._origin = (origin.scheme, origin.host, origin.port)
        self._address = (origin.host, origin.port or _PORTS[origin.scheme])
        self._context = context if origin.scheme == "https" else None
        self._most = most
        self._keep_seconds = keep_seconds
        self.forget()
        _ALL.add(self)

    def forget(self) -> None:
        """As in a child: what is open is the parent's."""
        self._idle: deque[Connection] = deque()
        self._room = threading.BoundedSemaphore(self._most)
        self._is_closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if (url.scheme, url.host, url.port) != self._origin:
            raise httpx.UnsupportedProtocol("not the origin this is for", request=request)
        timeouts: Timeouts = request.extensions.get("timeout", {})
        ends_at = time.monotonic() + (timeouts.get("whole") or WHOLE_SECONDS)
        if "Transfer-Encoding" in request.headers:
            raise httpx.LocalProtocolError("a body that is not in memory", request=request)
        if not self._room.acquire(timeout=timeouts.get("pool")):
            raise httpx.PoolTimeout("all connections are taken", request=request)
        try:
            return self._ask(request, timeouts, ends_at)
        except httpx.RequestError as failure:
            failure.request = request
            raise
        finally:
            self._room.release()

    def close(self) -> None:
        self._is_closed = True
        while connection := self._pop():
            connection.close()

    def _ask(self, request: httpx.Request, timeouts: Timeouts, ends_at: float) -> httpx.Response:
        connection = self._take() or connect(self._address, self._context, timeouts.get("connect"), ends_at)
        try:
            answer = connection.ask(
                request.method,
                request.url.raw_path,
                request.headers.raw,
                request.read(),
                write=timeouts.get("write"),
                read=timeouts.get("read"),
                ends_at=ends_at,
            )
        except BaseException:
            # An answer that nobody waits for any more must not become another call's.
            connection.close()
            raise
        if answer.is_last or self._is_closed:
            connection.close()
        else:
            self._keep(connection)
        return httpx.Response(answer.status, headers=answer.fields, stream=httpx.ByteStream(answer.body))

    def _take(self) -> Connection | None:
        """The one used last, if it is still good: those beneath it were used before."""
        oldest = time.monotonic() - self._keep_seconds
        while connection := self._pop():
            if connection.used_at >= oldest and connection.is_as_left():
                return connection
            connection.close()
        return None

    def _keep(self, connection: Connection) -> None:
        """And drops the oldest, one for each that is put back: after a crowd, few are needed."""
        self._idle.append(connection)
        try:
            if self._idle[0].used_at < time.monotonic() - self._keep_seconds:
                self._idle.popleft().close()
        except IndexError:
            # Another call has taken it at once.
            return

    def _pop(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


class LeanClient(httpx.Client):
    """httpx's client for supabase-py, in the one form it is called in: a URL, headers and a body.

    It keeps no cookies, follows no redirect and asks no netrc. `on_request` and `on_response` see each call.
    """

    def __init__(
        self,
        origin: httpx.URL,
        context: ssl.SSLContext,
        timeouts: Timeouts,
        most: int,
        on_request: Sequence[Callable[[httpx.Request], None]],
        on_response: Callable[[httpx.Response], None],
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        super().__init__(transport=LeanTransport(origin, context, most, keep_seconds), trust_env=False)
        self._timeouts = timeouts
        self._on_request = on_request
        self._on_response = on_response

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        params: httpx.QueryParams | None = None,
        headers: httpx.Headers | None = None,
        auth: object = None,  # noqa: ARG002 - the key is among the headers
    ) -> httpx.Response:
        asked = httpx.Request(
            method,
            _url(url),
            content=content,
            params=params or None,
            headers=headers,
            extensions={"timeout": self._timeouts},
        )
        for name, value in _FIELDS.items():
            asked.headers.setdefault(name, value)
        for look in self._on_request:
            look(asked)
        answer = self._transport.handle_request(asked)
        answer.request = asked
        answer.read()
        self._on_response(answer)
        return answer


def is_proxied(scheme: str) -> bool:
    """The environment names a proxy that httpx would ask: its own transport knows how, and for whom not."""
    named = getproxies()
    return bool(named.get(scheme) or named.get("all"))


_ALL: weakref.WeakSet[LeanTransport] = weakref.WeakSet()


def _leave_to_parent() -> None:
    for transport in list(_ALL):
        transport.forget()


os.register_at_fork(after_in_child=_leave_to_parent)
