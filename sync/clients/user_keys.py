"""The project's published signing keys (JWKS): kept, refreshed and rotated. Called by `user_tokens`, and by
the doctor.

Only asymmetric keys are taken, each for the one algorithm its kind is for, so no token chooses how it is checked. A
known key costs no call. The set is asked for again when it is old or when a token names an unknown key, but by one
thread at a time and at most once per pause, however many tokens name keys that do not exist.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt

from sync.clients.breakers import SIGN_IN_KEYS, Breakers
from sync.clients.circuit import Tripping
from sync.errors import SyncError
from sync.telemetry.metrics import CACHE_EVICTIONS, CACHE_LOOKUPS

# Supabase's edge keeps the document for 10 minutes itself; a rotated-in key is announced before it signs.
FRESH_SECONDS = 600.0
# Between two calls, whatever tokens come: a new key is known this late at worst, and no flood of tokens becomes one of
# calls.
PAUSE_SECONDS = 30.0
# Keys that could not be refreshed serve on while the endpoint is down; not for ever, as one may be withdrawn meanwhile.
TRUSTED_SECONDS = 24 * 3600.0
TIMEOUT_SECONDS = 3.0
# Never longer than the pause, which spares the endpoint already: so that an outage is seen.
TRIPPING = Tripping(failures=3, first_seconds=PAUSE_SECONDS, most_seconds=PAUSE_SECONDS)
MAX_DOCUMENT_BYTES = 100_000
# What Supabase signs with, by (key type, curve). "oct" is missing: a shared secret is never published.
ALGORITHMS = {("EC", "P-256"): "ES256", ("RSA", None): "RS256", ("OKP", "Ed25519"): "EdDSA"}


class KeysUnavailable(SyncError):
    """The key set cannot be had now, so nobody can say whether a sign-in is good."""


class UserKeys:
    """Thread-safe; one per process. `clock` counts seconds and never goes back."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic, breakers: Breakers | None = None) -> None:
        self._breaker = (breakers or Breakers(clock)).of(
            SIGN_IN_KEYS, TRIPPING, counts=_is_outage, down=lambda _seconds: KeysUnavailable("keys_unavailable")
        )
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, None if the project publishes no such key. Raises KeysUnavailable."""
        key = self._known().get(key_id)
        CACHE_LOOKUPS.labels("sign_in_keys", "miss" if key is None else "hit").inc()
        if key is None:
            # The others wait for the one that asks, and then look at what it brought.
            with self._lock:
                key = self._known().get(key_id)
                if key is None and self._may_ask():
                    self._ask()
                    key = self._known().get(key_id)
            if key is None and not self._is_fresh():
                raise KeysUnavailable("keys_unavailable")
        elif not self._is_fresh() and self._may_ask() and self._lock.acquire(blocking=False):
            # An old set is refreshed by one request; the others go on with the old key meanwhile.
            try:
                self._ask()
            finally:
                self._lock.release()
            key = self._known().get(key_id)
        return key

    def published(self) -> int:
        """How many the project publishes now. Raises KeysUnavailable."""
        with self._lock:
            self._ask()
            if not self._is_fresh():
                raise KeysUnavailable("keys_unavailable")
            return len(self._keys)

    def _known(self) -> dict[str, jwt.PyJWK]:
        fetched_at = self._fetched_at
        return self._keys if fetched_at is not None and self._clock() - fetched_at < TRUSTED_SECONDS else {}

    def _is_fresh(self) -> bool:
        return self._fetched_at is not None and self._clock() - self._fetched_at < FRESH_SECONDS

    def _may_ask(self) -> bool:
        return self._tried_at is None or self._clock() - self._tried_at >= PAUSE_SECONDS

    def _ask(self) -> None:
        """Replaces the set; leaves it as it is when no good one comes. Under the lock."""
        self._tried_at = self._clock()
        try:
            keys = _usable(self._breaker.call(self._fetch))
        except (httpx.HTTPError, ValueError, RecursionError, KeysUnavailable):
            return
        if keys is not None:
            CACHE_EVICTIONS.labels("sign_in_keys").inc(len(self._keys.keys() - keys.keys()))
            self._keys, self._fetched_at = keys, self._tried_at

    def _fetch(self) -> Any:
        with httpx.stream("GET", self._url, timeout=TIMEOUT_SECONDS, follow_redirects=False) as answer:
            answer.raise_for_status()
            document = b""
            for chunk in answer.iter_bytes():
                document += chunk
                if len(document) > MAX_DOCUMENT_BYTES:
                    raise ValueError("too large")
        return httpx.Response(200, content=document).json()


def _is_outage(failure: Exception) -> bool:
    if isinstance(failure, httpx.HTTPStatusError):
        return failure.response.status_code >= 500
    return isinstance(failure, httpx.HTTPError)


def _usable(document: Any) -> dict[str, jwt.PyJWK] | None:
    """The keys that may check a signature, by id. None: this is no key set. An empty one is: the project signs with its
    shared secret."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
            continue
        algorithm = ALGORITHMS.get((entry.get("kty", ""), entry.get("crv")))
        if algorithm is None or entry.get("alg", algorithm) != algorithm:
            continue
        try:
            keys[entry["kid"]] = jwt.PyJWK(entry, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
    return keys
