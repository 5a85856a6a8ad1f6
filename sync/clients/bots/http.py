"""One bot provider's HTTP: a pool of connections, and an answer that is bounded in bytes and, as a whole, in time.

`httpx` bounds each read by itself, so that an answer that drips would last for ever; here one deadline holds for all of
a call, from its connection to its last byte. No redirect is followed, for it would carry the API key elsewhere; nothing
is packed, so that bytes are what they seem; proxies of the environment are not used. No failure's text quotes the
request or the answer.
"""

from __future__ import annotations

import json
import math
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from sync.clients.breakers import Breakers
from sync.clients.certificates import certificates
from sync.clients.circuit import Breaker, Tripping
from sync.clients.retry_after import retry_after_seconds
from sync.errors import BotProviderBusy, BotProviderDown

CONNECT_SECONDS = 5.0
# Providers answer within a second; creating a bot may take them a few.
DEADLINE_SECONDS = 20.0
# A page of a listing is some hundred kilobytes.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECTIONS = 10
# Of different requests: one bot that the provider cannot make is no outage.
TRIPPING = Tripping(failures=5, subjects=2, first_seconds=5.0, most_seconds=60.0)
# 501 is an answer, and so is 507: no bot is to be had.
_OUTAGES = frozenset({500, 502, 503, 504, *range(520, 531)})
# Nothing was sent yet.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the JSON of the answer, or None where it has none."""

    status: int
    body: Any
    retry_after_seconds: float | None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The body's members; none, if it is no object."""
        return self.body if isinstance(self.body, dict) else {}


class _OutOfOrder(Exception):
    """An answer that says the provider is not in order."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def breaker_of(breakers: Breakers, name: str) -> Breaker:
    """A provider's breaker."""
    return breakers.of(name, TRIPPING, counts=_is_outage, down=BotProviderDown)


def _is_outage(failure: Exception) -> bool:
    if isinstance(failure, BotProviderBusy):
        return not isinstance(failure, BotProviderDown) and failure.code != "answer_too_large"
    return isinstance(failure, _OutOfOrder)


class ProviderHttp:
    """Thread-safe; one per provider and process, created after fork."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        breaker: Breaker | None = None,
    ) -> None:
        self._breaker = breaker or breaker_of(Breakers(), "bots")
        self._base_url = base_url
        self._deadline_seconds = deadline_seconds
        self._deadline = _Deadline()
        self._client = httpx.Client(
            transport=_BoundedTransport(self._deadline),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
            timeout=httpx.Timeout(deadline_seconds, connect=min(CONNECT_SECONDS, deadline_seconds)),
            follow_redirects=False,
        )

    def close(self) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, whatever its status. `path` is put after the base URL as it is; `body` is JSON.

        Raises BotProviderDown while the provider answers nobody, and BotProviderBusy where there is no answer, or none
        within the bounds.
        """

        def do() -> Answer:
            answer = self._exchange(method, path, query, body, headers)
            if answer.status in _OUTAGES:
                raise _OutOfOrder(answer)
            return answer

        try:
            return self._breaker.call(do, subject=hash((method, path, body)))
        except _OutOfOrder as found:
            return found.answer

    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if body is not None else {})}
        request = self._client.build_request(
            method, f"{self._base_url}{path}", params=query or None, content=body, headers=sent
        )
        self._deadline.at = time.monotonic() + self._deadline_seconds
        try:
            answer = self._client.send(request, stream=True)
            try:
                return _read(answer)
            finally:
                answer.close()
        except _NEVER_SENT as broken:
            raise BotProviderBusy(_code_of(broken)) from None
        except httpx.HTTPError as broken:
            raise BotProviderBusy(_code_of(broken), maybe_done=True) from None
        finally:
            self._deadline.at = math.inf


def _read(answer: httpx.Response) -> Answer:
    content = bytearray()
    for part in answer.iter_raw():
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise BotProviderBusy("answer_too_large", maybe_done=True)
    try:
        body = json.loads(bytes(content))
    except (ValueError, RecursionError):
        body = None
    return Answer(answer.status_code, body, retry_after_seconds(answer.headers.get("retry-after")))


def _code_of(broken: httpx.HTTPError) -> str:
    return "answer_too_slow" if isinstance(broken, httpx.TimeoutException) else "connection_failed"


class _Deadline(threading.local):
    """When this thread's call must have ended, on the monotonic clock."""

    at = math.inf

    def left(self, timeout: float | None) -> float | None:
        """Seconds for the next step: its own time-out, or what the call has left. Raises httpcore.ReadTimeout."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return timeout if math.isinf(left) else min(left, math.inf if timeout is None else timeout)


class _BoundedTransport(httpx.HTTPTransport):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(verify=certificates(), trust_env=False)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates(),
            max_connections=CONNECTIONS,
            keepalive_expiry=15.0,
            network_backend=_BoundedBackend(deadline),
        )


class _BoundedBackend(httpcore.NetworkBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._plain.connect_tcp(host, port, self._deadline.left(timeout), local_address, socket_options)
        return _BoundedStream(stream, self._deadline)


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _BoundedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
