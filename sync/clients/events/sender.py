"""One signed POST to a subscriber's endpoint (Standard Webhooks 1.0.0). Called by `jobs/events`.

The other side is a stranger. Its name is resolved once, every address it has must be allowed, and the connection goes
to one of these very addresses, under the name that its certificate must have: whoever resolved again would be led
elsewhere. No redirect is followed, no proxy of the environment is asked, and of the answer only the head counts, which
has a deadline as a whole.
"""

from __future__ import annotations

import datetime as dt
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpcore
from standardwebhooks import Webhook

from sync.clients.certificates import certificates
from sync.clients.retry_after import retry_after_seconds
from sync.event_model import Answer

# From the first byte sent to the end of the answer's head; resolving has a time of its own before it.
DEADLINE_SECONDS = 20.0
CONNECT_SECONDS = 5.0
RESOLVE_SECONDS = 5.0
USER_AGENT = b"hybrid-calendar-monitor"

Resolve = Callable[[str, int], Sequence[str]]
IsAllowed = Callable[[str], bool]


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, in the system's order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AddressRefused(Exception):
    """The name leads to an address that events may not be sent to."""


class NameUnknown(Exception):
    """The name has no address, or none in time."""


class Sender:
    """Thread-safe; one per process. Each message has a connection of its own, so that nothing is left of one name for
    another."""

    def __init__(
        self,
        *,
        is_allowed: IsAllowed,
        resolve: Resolve = resolve,
        context: ssl.SSLContext | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        resolve_seconds: float = RESOLVE_SECONDS,
    ) -> None:
        self._is_allowed = is_allowed
        self._resolve = resolve
        self._deadline_seconds = deadline_seconds
        self._resolve_seconds = resolve_seconds
        self._context = context or certificates(trust_env=False)

    def post(self, url: str, message_id: str, body: str, secrets: Sequence[str], now: dt.datetime) -> Answer:
        """Sends it, signed with each of the secrets (`whsec_…`). Never raises for what the other side does."""
        began = time.monotonic()
        status, retry_after, error_code = None, None, None
        try:
            status, retry_after = self._exchange(url, _headers(message_id, body, secrets, now), body.encode())
        except AddressRefused:
            error_code = "address_refused"
        except NameUnknown:
            error_code = "name_unknown"
        except httpcore.TimeoutException:
            error_code = "timeout"
        except (ssl.SSLError, httpcore.ConnectError) as failed:
            error_code = "tls_failed" if _is_tls(failed) else "not_connected"
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            error_code = "no_answer"
        return Answer(status, error_code, retry_after, round((time.monotonic() - began) * 1000))

    def _exchange(self, url: str, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> tuple[int, float | None]:
        parsed = httpcore.URL(url)
        host, port = parsed.host.decode().strip("[]"), parsed.port or (443 if parsed.scheme == b"https" else 80)
        addresses = self._addresses(host, port)
        deadline = time.monotonic() + self._deadline_seconds
        backend = _Pinned(addresses, deadline)
        # The library forgets the brackets of an IPv6 address.
        named = [(b"Host", urlsplit(url).netloc.encode()), *headers]
        with (
            httpcore.ConnectionPool(self._context, max_connections=1, retries=0, network_backend=backend) as pool,
            # Closed at the end of the block, whatever the answer's body would be.
            pool.stream(b"POST", parsed, headers=named, content=body) as answer,
        ):
            given = {name.lower(): value for name, value in answer.headers}
            return answer.status, retry_after_seconds(given.get(b"retry-after", b"").decode("latin-1"))

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Resolved once, and all of them allowed. The system's resolver knows no deadline: it is left behind."""
        found: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()
        threading.Thread(target=lambda: found.put(self._resolved(host, port)), name="resolve", daemon=True).start()
        try:
            addresses = found.get(timeout=self._resolve_seconds)
        except queue.Empty:
            addresses = ()
        if not addresses:
            raise NameUnknown(host)
        if not all(self._is_allowed(address) for address in addresses):
            raise AddressRefused(host)
        return addresses

    def _resolved(self, host: str, port: int) -> Sequence[str]:
        try:
            return self._resolve(host, port)
        except (OSError, UnicodeError):
            return ()


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses it was given, whatever name it is asked for, and lets nothing last beyond the
    deadline."""

    def __init__(self, addresses: Sequence[str], deadline: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - resolved already
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline's rest counts, here and below
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            seconds = min(CONNECT_SECONDS, _left(self._deadline))
            try:
                return _Bounded(
                    self._system.connect_tcp(address, port, seconds, local_address, socket_options), self._deadline
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                failed = refused
        raise failed


class _Bounded(httpcore.NetworkStream):
    """A stream whose reads and writes all end by one deadline, however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Bounded(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline of the whole answer")
    return left


def _headers(message_id: str, body: str, secrets: Sequence[str], now: dt.datetime) -> list[tuple[bytes, bytes]]:
    # The library reads whatever zone as UTC.
    at = now.astimezone(dt.UTC)
    signatures = " ".join(Webhook(secret).sign(message_id, at, body) for secret in secrets)
    return [
        (b"User-Agent", USER_AGENT),
        (b"Content-Type", b"application/json"),
        (b"webhook-id", message_id.encode()),
        (b"webhook-timestamp", str(int(at.timestamp())).encode()),
        (b"webhook-signature", signatures.encode()),
        (b"Connection", b"close"),
    ]


def _is_tls(failed: BaseException) -> bool:
    # The pool takes the cause off its exceptions.
    return isinstance(failed, ssl.SSLError) or isinstance(failed.__context__, ssl.SSLError)
