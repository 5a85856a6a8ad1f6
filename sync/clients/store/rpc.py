"""Calling the SQL functions through supabase-py.

Owns the one supabase client of the process, its time-outs, and the retry of calls whose outcome is unknown: every
function is idempotent, so a lost answer is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from postgrest.exceptions import APIError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from supabase import Client, ClientOptions, create_client
from sync.errors import StoreRejected, StoreUnavailable

# Above the platform's own statement timeout (8 s), so that the database's answer comes before ours.
TIMEOUT_SECONDS = 12.0
ATTEMPTS = 4
CONNECTIONS = 40
_PASSING_CLASSES = frozenset({"08", "40", "53", "55", "57", "58", "XX"})
_GATEWAY_CODES = frozenset({"408", "429", "500", "502", "503", "504", "520", "522", "524"})


class Rpc:
    """Thread-safe; create one per process, after fork."""

    def __init__(self, url: str, service_key: str) -> None:
        # HTTP/2 breaks under threads and closed keep-alives (lost writes); PostgREST's own retry hides unknown
        # outcomes.
        http = httpx.Client(
            http2=False,
            timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=5.0),
            limits=httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=30.0
            ),
        )
        options = ClientOptions(
            httpx_client=http, auto_refresh_token=False, persist_session=False, postgrest_client_retry=False
        )
        self._client: Client = create_client(url, service_key, options)
        # Built lazily and without a lock by supabase-py: touch it before threads share it.
        _ = self._client.postgrest

    def is_reachable(self) -> bool:
        """One cheap call, not repeated: for the readiness probe."""
        try:
            self.once("sweep_state", {"p_stale_hours": 0})
        except (StoreUnavailable, StoreRejected):
            return False
        return True

    def close(self) -> None:
        self._client.postgrest.session.close()

    def rows(self, function: str, **params: Any) -> list[dict[str, Any]]:
        answer = self.call(function, **params)
        return list(answer or ())

    def call(self, function: str, **params: Any) -> Any:
        retrying: Callable[..., Any] = Retrying(
            retry=retry_if_exception_type(StoreUnavailable),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=2.0),
            reraise=True,
        )
        return retrying(self.once, function, params)

    def once(self, function: str, params: dict[str, Any]) -> Any:
        try:
            return self._client.rpc(function, params).execute().data
        except APIError as refused:
            code = str(refused.code or "unknown")
            # 57: the operator's or the statement's time ran out; 40: deadlock or serialisation; 55: a lock's time ran
            # out; 53: no resources; 58, XX: the server's own trouble; 08: connection; PGRST00x: PostgREST has no
            # database; three digits: an HTTP error without PostgREST's body (a gateway).
            if code[:2] in _PASSING_CLASSES or code.startswith("PGRST00") or code in _GATEWAY_CODES:
                raise StoreUnavailable(code, function) from None
            raise StoreRejected(code, function) from None
        except httpx.HTTPError as broken:
            raise StoreUnavailable(type(broken).__name__, function) from None
