"""Calling the SQL functions through supabase-py.

Owns the one supabase client of the process, its time-outs, and the retry of calls whose outcome is unknown: every
function is idempotent, so a lost answer is asked for again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
from postgrest.exceptions import APIError

from supabase import Client, ClientOptions, create_client
from sync.clients.breakers import DATABASE, Breakers
from sync.clients.certificates import certificates
from sync.clients.circuit import Tripping
from sync.clients.retrying import LEAST_SECONDS, Retries, retry, seconds_left
from sync.clients.store.refusals import set_up_fault, words_of
from sync.clients.store.transport import KEEP_SECONDS, WHOLE_SECONDS, LeanClient, is_proxied
from sync.env_checks import is_front_end_key, is_jwt
from sync.errors import (
    DataRefused,
    StoreDown,
    StoreFailure,
    StoreMisconfigured,
    StoreRejected,
    StoreTooSlow,
    StoreUnavailable,
)
from sync.telemetry.metrics import STORE_CALLS, STORE_DURATION
from sync.telemetry.origin import request_id
from sync.telemetry.registry import observed

# Above the platform's own statement timeout (8 s), so that the database's answer comes before ours.
TIMEOUT_SECONDS = 12.0
CONNECT_SECONDS = 5.0
ATTEMPTS = 4
RETRIES = Retries("database", ATTEMPTS, first_seconds=0.2, most_seconds=2.0)
# More than one call's attempts. A probe every few seconds: all work, and every notification, waits for it.
TRIPPING = Tripping(failures=10, first_seconds=1.0, most_seconds=5.0)
# Of one statement, whatever the status: a time-out, a lock, a deadlock; the database is there. Not a gateway's 404.
_ONE_STATEMENTS = re.compile(r"57014|(40|55)...")
CONNECTIONS = 40
STATEMENT_TIMED_OUT = "57014"
# What takes rows may be asked to take fewer: its time-outs and refusals say what to do next.
_DIVISIBLE = frozenset({"stage_sync", "commit_sync"})
# 22: a value that its type does not hold; 23: one that a constraint forbids; 54: one beyond a limit, as of an index.
_DATA_CLASSES = frozenset({"22", "23", "54"})
_PASSING_CLASSES = frozenset({"08", "40", "53", "55", "57", "58", "XX"})
_PASSING_STATUSES = frozenset({408, 429})


class _Seen(threading.local):
    """The status of this thread's last answer, and whether it had a body: postgrest-py keeps only what that says."""

    status = 0
    is_empty = False


def _tell_origin(request: httpx.Request) -> None:
    """So that the store's own log can be searched for what a request did."""
    origin = request_id()
    if origin:
        request.headers["X-Request-ID"] = origin


class Rpc:
    """Thread-safe; create one per process, after fork. `on_misconfigured` hears code and detail of each refusal that is
    the set-up's."""

    def __init__(
        self,
        url: str,
        service_key: str,
        breakers: Breakers | None = None,
        on_misconfigured: Callable[[str, str], None] | None = None,
    ) -> None:
        self._seen = _Seen()
        self._is_front_end_key = is_front_end_key(service_key)
        self._on_misconfigured = on_misconfigured or (lambda _code, _detail: None)
        self._breaker = (breakers or Breakers()).of(
            DATABASE, TRIPPING, counts=_is_outage, down=lambda _seconds: StoreDown("database_down")
        )
        # PostgREST's own retry hides unknown outcomes.
        options = ClientOptions(
            httpx_client=self._http(url), auto_refresh_token=False, persist_session=False, postgrest_client_retry=False
        )
        self._client: Client = create_client(url, service_key, options)
        if not is_jwt(service_key):
            # The platform takes a new key as `apikey` alone: as Bearer it goes to PostgREST, which wants a JWT there.
            del self._client.options.headers["Authorization"]
        # Built lazily and without a lock by supabase-py: touch it before threads share it.
        _ = self._client.postgrest

    def _http(self, url: str) -> httpx.Client:
        origin, hooks = httpx.URL(url), [_hurry, _tell_origin]
        if not is_proxied(origin.scheme):
            timeouts = {**httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS).as_dict(), "whole": WHOLE_SECONDS}
            return LeanClient(origin, certificates(), timeouts, CONNECTIONS, hooks, self._see)
        # HTTP/2 breaks under threads and closed keep-alives (lost writes).
        return httpx.Client(
            verify=certificates(),
            http2=False,
            timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEEP_SECONDS
            ),
            event_hooks={"request": hooks, "response": [self._see]},
        )

    def close(self) -> None:
        self._client.postgrest.session.close()

    def rows(self, function: str, **params: Any) -> list[dict[str, Any]]:
        answer = self.call(function, **params)
        return list(answer or ())

    def call(self, function: str, **params: Any) -> Any:
        # Not what was too slow: it would only be too slow again. Nor while nobody is answered.
        return retry(
            lambda: self.once(function, params), RETRIES, passes=lambda raised: type(raised) is StoreUnavailable
        )

    def once(self, function: str, params: dict[str, Any]) -> Any:
        return self._breaker.call(lambda: self._observed(function, params))

    def _observed(self, function: str, params: dict[str, Any]) -> Any:
        with observed(STORE_CALLS, STORE_DURATION, function):
            return self._send(function, params)

    def _send(self, function: str, params: dict[str, Any]) -> Any:
        try:
            data = self._client.rpc(function, params).execute().data
        except APIError as refused:
            raise self._failure(function, refused) from None
        except httpx.HTTPError as broken:
            raise StoreUnavailable(type(broken).__name__, function) from None
        if self._seen.status != httpx.codes.NO_CONTENT and (isinstance(data, str) or self._seen.is_empty):
            # No function answers a text or, but with 204, nothing: what is no JSON comes as text (a portal's page, an
            # answer cut short), and no body as no rows.
            raise StoreUnavailable("answer_unreadable", function)
        return data

    def _failure(self, function: str, refused: APIError) -> StoreFailure:
        code = str(refused.code or "unknown")
        detail = f"{function}: {words_of(refused)}"
        if function in _DIVISIBLE and code == STATEMENT_TIMED_OUT:
            return StoreTooSlow(code, detail)
        if function in _DIVISIBLE and code[:2] in _DATA_CLASSES:
            return DataRefused(code, detail)
        if self._passes(code):
            return StoreUnavailable(code, detail)
        fault = set_up_fault(self._seen.status, code, is_front_end_key=self._is_front_end_key)
        if fault is None:
            return StoreRejected(code, detail)
        self._on_misconfigured(fault, detail)
        return StoreMisconfigured(fault, detail)

    def _see(self, answer: httpx.Response) -> None:
        self._seen.status = answer.status_code
        self._seen.is_empty = answer.headers.get("content-length") == "0"

    def _passes(self, code: str) -> bool:
        """Every 5xx does, whatever its body, and of the rest what PostgREST says to be its own or Postgres' trouble.

        57: the operator's or the statement's time ran out; 40: deadlock or serialisation; 55: a lock's time ran out;
        53: no resources; 58, XX: the server's own trouble; 08: connection; PGRST00x: PostgREST has no database; three
        digits: an HTTP error whose body is not PostgREST's (a gateway, a firewall).
        """
        if self._seen.status >= 500 or self._seen.status in _PASSING_STATUSES:
            return True
        return code[:2] in _PASSING_CLASSES or code.startswith("PGRST00") or (len(code) == 3 and code.isdigit())


def _is_outage(failure: Exception) -> bool:
    """No answer, or a gateway's, or that the database is not there. Not that it took its time for one statement."""
    if not isinstance(failure, StoreUnavailable) or isinstance(failure, StoreTooSlow | StoreDown):
        return False
    return _ONE_STATEMENTS.fullmatch(failure.code) is None


def _hurry(request: httpx.Request) -> None:
    """No call takes much longer than somebody waits for it, nor a step of one; the writes of a sync take their time."""
    if request.url.path.rpartition("/")[2] in _DIVISIBLE:
        return
    left = max(seconds_left(), LEAST_SECONDS)
    request.extensions["timeout"] = {
        step: seconds and min(seconds, left) for step, seconds in request.extensions["timeout"].items()
    }
