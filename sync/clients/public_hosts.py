"""Whether a host is one of the public Internet, by the addresses it resolves to. Called before a bot is sent to a link.

A meeting's link is anybody's text: a bot must not be led to what only the provider's own network reaches.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from typing import Any
from urllib.parse import urlsplit

from sync.clients.cache import Cache

# A name's addresses are asked for again after this.
KEPT_SECONDS = 600.0
KEPT_HOSTS = 2000
RESOLVE_SECONDS = 3.0


class PublicHosts:
    """Thread-safe; one per process."""

    def __init__(
        self, is_public: Callable[[str], bool], resolve: Callable[..., list[Any]] = socket.getaddrinfo
    ) -> None:
        """`is_public`: whether an address is one of the public Internet's."""
        self._is_public = is_public
        self._resolve = resolve
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="resolve")
        self._known: Cache[str, bool] = Cache("hosts", KEPT_HOSTS, ends=lambda _is_inside, now: now + KEPT_SECONDS)

    def is_inside(self, url: str) -> bool:
        """Whether any address of its host is not public. A name that does not resolve here is none of this network's;
        whoever joins resolves it for themselves."""
        host = (urlsplit(url).hostname or "").rstrip(".").lower()
        if not host:
            return True
        known = self._known.get(host)
        if known is not None:
            return known
        is_inside = any(not self._is_public(address) for address in self._addresses(host))
        self._known.put(host, is_inside)
        return is_inside

    def _addresses(self, host: str) -> list[str]:
        try:
            found = self._pool.submit(self._resolve, host, 443, type=socket.SOCK_STREAM).result(RESOLVE_SECONDS)
        except (OSError, UnicodeError, Late):
            return []
        return [str(entry[4][0]) for entry in found]
