"""The stack's front door: what Supabase's API gateway does for the one service this project uses.

Maps `/rest/v1/*` to PostgREST, lets nobody in without one of the stack's keys, exchanges `sb_…` keys given as `apikey`
for the JWT of their role, publishes the JWKS, and carries the tests' switches under `/_stack/`. One thread per client
connection, each with its own kept-alive connection to PostgREST. Refuses every other path. Started by supabase.py.
"""

from __future__ import annotations

import hmac
import io
import json
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from scripts.stack.faults import Fault, Switchboard
from scripts.stack.http1 import BadMessage, Request, Response, read_request
from scripts.stack.upstream import Upstream

CLIENT_IDLE_SECONDS = 120.0
_NO_LINGER = struct.pack("ii", 1, 0)  # close() then sends a reset
_BROWSER = re.compile(r"^mozilla/", re.IGNORECASE)


class Dropped(Exception):  # a decision, not a failure
    """The switchboard wants this connection reset without an answer."""


@dataclass(frozen=True)
class Keys:
    """The four keys that open the gateway: two JWTs, and the opaque ones that stand for them."""

    anon: str
    service: str
    publishable: str
    secret: str

    def jwt_for(self, presented: str | None) -> str | None:
        """The JWT of the presented key's role; None for a key that is none. Compares with all, in constant time."""
        found = None
        offered = (presented or "").encode("latin-1", "replace")
        table = (
            (self.anon, self.anon),
            (self.service, self.service),
            (self.publishable, self.anon),
            (self.secret, self.service),
        )
        for key, token in table:
            if hmac.compare_digest(key.encode(), offered):
                found = token
        return found


def _json(status: int, content: Any) -> Response:
    body = json.dumps(content).encode()
    return Response(status, [("content-type", "application/json; charset=utf-8")], body)


def _refusal(message: str, hint: str) -> Response:
    return _json(401, {"message": message, "hint": hint})


class Gateway:
    """The listening proxy. `start()` returns once it accepts; `stop()` ends every connection."""

    def __init__(self, *, upstream_port: int, keys: Keys, jwks: dict[str, Any], switchboard: Switchboard) -> None:
        self.keys = keys
        self.switchboard = switchboard
        self._jwks = jwks
        self._upstream_port = upstream_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = False

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        """Accept connections in the background."""
        threading.Thread(target=self._accept, name="gateway", daemon=True).start()

    def stop(self) -> None:
        """Close the listener and all connections; held calls are released."""
        self._stopped = True
        self.switchboard.clear()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._stopped:
                    return
                time.sleep(0.05)  # out of descriptors: wait for a connection to end
                continue
            connection.settimeout(CLIENT_IDLE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="gateway", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        upstream = Upstream(self._upstream_port)
        stream = connection.makefile("rwb")
        try:
            while self._serve_one(stream, upstream):
                pass
        except Dropped:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        except (OSError, ValueError):
            pass  # the client has gone, or stop() closed the connection
        finally:
            upstream.close()
            with self._lock:
                self._connections.discard(connection)
            with suppress(OSError, ValueError):
                stream.close()
            connection.close()

    def _serve_one(self, stream: io.BufferedRWPair, upstream: Upstream) -> bool:
        try:
            request = read_request(stream, stream)
        except BadMessage as error:
            stream.write(_json(400, {"message": str(error)}).encode(head_only=False, keep_alive=False))
            stream.flush()
            return False
        if request is None:
            return False
        response = self._answer(request, upstream)
        stream.write(response.encode(head_only=request.method == "HEAD", keep_alive=request.keep_alive))
        stream.flush()
        return request.keep_alive

    def _answer(self, request: Request, upstream: Upstream) -> Response:
        path, _, query = request.target.partition("?")
        if path.startswith("/rest/v1/") or path == "/rest/v1":
            return self._rest(request, path.removeprefix("/rest/v1") or "/", query, upstream)
        if path == "/auth/v1/.well-known/jwks.json" and request.method in ("GET", "HEAD"):
            return _json(200, self._jwks)
        if path.startswith("/_stack/"):
            return self._switch(request, path.removeprefix("/_stack/"))
        return _json(404, {"message": "no Route matched with those values"})

    def _rest(self, request: Request, path: str, query: str, upstream: Upstream) -> Response:
        authorization = request.header("authorization")
        if request.method != "OPTIONS":  # a browser's preflight carries no key
            key, query = self._presented_key(request, query)
            token = self.keys.jwt_for(key)
            if key is None or token is None:
                return self._refuse(key)
            if key.startswith("sb_secret_") and _BROWSER.match(request.header("user-agent") or ""):
                return _refusal("Forbidden use of secret API key in browser", "Secret API keys belong on a server.")
            authorization = self._authorization(authorization, token)
        call = unquote(path).strip("/")
        fault = self.switchboard.arrive(call) if request.method != "OPTIONS" else None
        target = path + (f"?{query}" if query else "")
        if fault is None:
            return upstream.exchange(request, target, authorization)
        try:
            return self._suffer(fault, request, target, authorization, upstream)
        finally:
            self.switchboard.leave(fault)

    @staticmethod
    def _presented_key(request: Request, query: str) -> tuple[str | None, str]:
        """The key from the header, else from the query, which PostgREST must not take for a filter."""
        key = request.header("apikey")
        if "apikey=" in query:
            pairs = parse_qsl(query, keep_blank_values=True)
            in_query = [value for name, value in pairs if name == "apikey"]
            if in_query:
                key = key or in_query[0]
                query = urlencode([(name, value) for name, value in pairs if name != "apikey"])
        return key, query

    @staticmethod
    def _refuse(key: str | None) -> Response:
        if key is None:
            return _refusal("No API key found in request", "No `apikey` request header or url param was found.")
        return _refusal("Invalid API key", "Double check your Supabase `anon` or `service_role` API key.")

    @staticmethod
    def _authorization(authorization: str | None, token: str) -> str:
        """A bearer passes as it is, and nothing becomes the JWT of the key's role. An `sb_…` key as bearer is refused
        by PostgREST, for it is no JWT: so the platform's guide "Understanding API keys" has it."""
        scheme, _, credentials = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not credentials:
            return f"Bearer {token}"
        return f"Bearer {credentials.strip()}"

    @staticmethod
    def _suffer(fault: Fault, request: Request, target: str, authorization: str | None, upstream: Upstream) -> Response:
        fault.wait()
        if fault.kind == "drop_before":
            raise Dropped
        if fault.kind == "http_500":
            return _json(500, {"code": "XX000", "message": "injected by the stack", "details": None, "hint": None})
        response = upstream.exchange(request, target, authorization)
        if fault.kind == "drop_after":
            raise Dropped
        return response

    def _switch(self, request: Request, action: str) -> Response:
        bearer = (request.header("authorization") or "").removeprefix("Bearer ")
        presented = request.header("apikey") or bearer
        if self.keys.jwt_for(presented) != self.keys.service:
            return self._refuse(presented or None)
        match request.method, action:
            case "GET", "counters":
                return _json(200, self.switchboard.counters())
            case "POST", "counters/reset":
                self.switchboard.reset_counters()
                return _json(200, {})
            case "GET", "faults":
                return _json(200, self.switchboard.pending())
            case ("DELETE", "faults") | ("POST", "faults/clear"):
                self.switchboard.clear()
                return _json(200, {})
            case "POST", "faults":
                return self._add_fault(request.body)
        return _json(404, {"message": f"the stack has no {request.method} {action}"})

    def _add_fault(self, body: bytes) -> Response:
        try:
            problem = self.switchboard.add(json.loads(body))
        except ValueError:
            problem = "the body is no JSON"
        return _json(400, {"message": problem}) if problem else _json(200, {})
