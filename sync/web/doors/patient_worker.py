"""gunicorn's threaded worker, whose threads wait for no client: they get requests that are all there, and leave answers
to be sent behind them.

Heads and bodies are read, and answers sent, by the worker's main loop as bytes come and go; a thread only holds a
request while the application works on it. Each phase has its deadline, and an address its share of connections. Named
in `gunicorn.conf.py`. Plain HTTP/1 only: TLS ends before it, at the platform. Tested by tests/web/doors/test_slow.py.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

import structlog
from gunicorn import http
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from sync.core.accounts.addresses import customer
from sync.logs import configure_logs
from sync.settings import SettingsError, log_settings
from sync.web.doors.arrival import Arrived, HeadTooLarge, arrived, expects_continue
from sync.web.doors.refusals import refusal
from sync.web.doors.sharing import MOMENT_SECONDS, Share

# From a request's first byte (or the connection's beginning) to its last, of 128 KiB at most. Google, GitHub and
# browsers take a fraction of a second.
REQUEST_SECONDS = 10.0
# For a whole answer to be taken: all a user's data over a slow mobile line.
SEND_SECONDS = 60.0
# For a client to close after the last answer, so that the answer's end is not lost to a reset.
CLOSE_SECONDS = 2.0
# From one address (IPv6: a /64) at once, per process. Browsers open six, a pool of clients 64; an office behind one
# address stays below. Not behind trusted proxies, whose own connections are few addresses' by nature.
MAX_PER_ADDRESS = 96
CHUNK_BYTES = 64 * 1024
# Looking for what is overdue goes over all connections.
SWEEP_SECONDS = 0.25

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Phase(Enum):
    """IDLE between requests, READING one, at WORK in a thread, SENDING its answer, CLOSING."""

    IDLE = "idle"
    READING = "reading"
    WORK = "work"
    SENDING = "sending"
    CLOSING = "closing"


class Outbox:
    """What gunicorn writes an answer to in place of the socket: it is kept until the main loop sends it."""

    def __init__(self, sock: socket.socket | Outbox) -> None:
        self._sock = sock
        self.unsent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.unsent += data

    def send(self, data: bytes) -> int:
        """gunicorn's leave to send a body, which is here already."""
        return len(data)

    def setblocking(self, _: bool) -> None:
        """Never: threads do not touch the socket."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class PatientConnection(TConn):  # type: ignore[misc]
    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any, deadline: float) -> None:
        super().__init__(cfg, sock, client, server)
        self.socket = sock
        self.sock = Outbox(sock)
        self.address = customer(client[0] if isinstance(client, tuple) else None)
        self.received = bytearray()
        self.phase = Phase.READING
        self.deadline = deadline
        self.is_last = False
        self.was_told_to_continue = False
        # For gunicorn's `handle`: there is nothing to wait for, and no parser to make.
        self.initialized = self.data_ready = True

    def take(self, request: Arrived) -> None:
        """The first request alone goes to gunicorn: its parser can wait for no more of it, nor read into the next."""
        self.parser = http.get_parser(self.cfg, iter([bytes(self.received[: request.end])]), self.client)
        del self.received[: request.end]
        self.is_last = request.is_last
        self.was_told_to_continue = False


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Everything but `handle` runs in the main loop, so nothing here is locked."""

    request_seconds = REQUEST_SECONDS
    moment_seconds = MOMENT_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: dict[PatientConnection, None] = {}
        self._by_address: Counter[str] = Counter()
        self._swept_at = 0.0
        is_behind_proxies = os.environ.get("TRUSTED_PROXIES", "0").strip() not in ("", "0")
        self._most_per_address = self.worker_connections if is_behind_proxies else MAX_PER_ADDRESS
        self._share = Share(None)

    def load_wsgi(self) -> None:
        """A bad configuration ends the server with its problems alone: no traceback, and no other try."""
        try:
            super().load_wsgi()
        except SettingsError as bad:
            configure_logs(*log_settings())
            structlog.get_logger("sync").error("settings_refused", problems=bad.problems)
            raise SystemExit(Arbiter.APP_LOAD_ERROR) from None

    def init_process(self) -> None:
        """gunicorn's own, in the worker's process. One that was given no slot is alone."""
        self._share = Share(getattr(self, "slot", None), self.moment_seconds)
        super().init_process()

    def set_accept_enabled(self, enabled: bool) -> None:
        """gunicorn's own."""
        super().set_accept_enabled(enabled)
        if enabled:
            self._share.hold(self.nr_conns)
        else:
            self._share.leave()

    # --- arriving ---------------------------------------------------------------------------------------------------

    def accept(self, listener: Any) -> None:
        if self._share.is_anothers(self.nr_conns):
            return
        try:
            sock, client = listener.accept()
        except OSError:  # gone again, or taken by a sibling
            return
        deadline = time.monotonic() + self.request_seconds
        conn = PatientConnection(self.cfg, sock, client, listener.getsockname(), deadline)
        if self._by_address[conn.address] >= self._most_per_address and not self._give_up_an_idle_one(conn.address):
            sock.close()
            return
        self._count(1)
        self._connections[conn] = None
        self._by_address[conn.address] += 1
        self._watch(conn, selectors.EVENT_READ, self._receive)
        if self.nr_conns >= self.worker_connections:
            # Room for the next: the one that waits longest for its client goes, never one at work.
            self._give_up_a_waiting_one()

    def _receive(self, conn: PatientConnection) -> None:
        data = self._recv(conn)
        if data is None:
            return
        if not data:
            self._drop(conn)
            return
        if conn.phase is Phase.IDLE:
            self._expect(conn, Phase.READING, self.request_seconds)
        conn.received += data
        self._look(conn)

    def _look(self, conn: PatientConnection) -> None:
        """Hands a request over that is all there."""
        try:
            request = arrived(conn.received)
        except HeadTooLarge:
            self._refuse(conn, 431)
            return
        if request is None:
            self._encourage(conn)
            return
        self._unwatch(conn)
        conn.take(request)
        conn.phase = Phase.WORK
        self.enqueue_req(conn)

    def _encourage(self, conn: PatientConnection) -> None:
        if not conn.was_told_to_continue and expects_continue(conn.received):
            conn.was_told_to_continue = True
            with suppress(OSError):
                conn.socket.send(CONTINUE)

    def _refuse(self, conn: PatientConnection, status: int) -> None:
        self.wsgi.extensions["refused"](status)
        self._unwatch(conn)
        conn.is_last = True
        conn.received.clear()
        conn.sock.sendall(self._refusal(status))
        self._answer(conn)

    def _refusal(self, status: int) -> bytes:
        return refusal(status, self.wsgi.extensions["guard"].headers)

    # --- in a thread ------------------------------------------------------------------------------------------------

    def handle_request(self, req: Any, conn: PatientConnection) -> Any:
        """gunicorn's own. Where the connection ends with the answer, the answer says so."""
        if conn.is_last:
            req.force_close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Outbox, addr: Any, exc: BaseException) -> None:
        """gunicorn's own: its log and its status, in an answer like all others."""
        draft = Outbox(client)
        super().handle_error(req, draft, addr, exc)
        if draft.unsent:
            status = int(draft.unsent.split(b" ", 2)[1])
            self.wsgi.extensions["refused"](status)
            client.sendall(self._refusal(status))

    # --- leaving ----------------------------------------------------------------------------------------------------

    def finish_request(self, conn: PatientConnection, fs: Any) -> None:
        """gunicorn's own, once a thread is done."""
        try:
            goes_on = bool(fs.result()) and not conn.is_last and not conn.parser.unreader.buf.getvalue()
        except Exception:  # noqa: BLE001 - whatever a thread died of, its connection ends
            goes_on = False
        conn.is_last = not goes_on
        self._answer(conn)

    def _answer(self, conn: PatientConnection) -> None:
        self._expect(conn, Phase.SENDING, SEND_SECONDS)
        if self._send(conn):
            self._sent(conn)
        elif conn in self._connections:
            self._watch(conn, selectors.EVENT_WRITE, self._send_more)

    def _send_more(self, conn: PatientConnection) -> None:
        if self._send(conn):
            self._unwatch(conn)
            self._sent(conn)

    def _send(self, conn: PatientConnection) -> bool:
        """Whether all is sent; what the client does not take now waits."""
        unsent = conn.sock.unsent
        try:
            while unsent:
                sent = conn.socket.send(memoryview(unsent)[:CHUNK_BYTES].tobytes())
                del unsent[:sent]
        except BlockingIOError:
            return False
        except OSError:
            self._drop(conn)
            return False
        return True

    def _sent(self, conn: PatientConnection) -> None:
        if conn.is_last:
            with suppress(OSError):
                conn.socket.shutdown(socket.SHUT_WR)
            self._expect(conn, Phase.CLOSING, CLOSE_SECONDS)
            self._watch(conn, selectors.EVENT_READ, self._drain)
        elif conn.received:
            self._expect(conn, Phase.READING, self.request_seconds)
            self._watch(conn, selectors.EVENT_READ, self._receive)
            self._look(conn)
        else:
            self._expect(conn, Phase.IDLE, self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
            self._watch(conn, selectors.EVENT_READ, self._receive)

    def _drain(self, conn: PatientConnection) -> None:
        """What is still sent is not read; its sender has CLOSE_SECONDS to notice."""
        if self._recv(conn) == b"":
            self._drop(conn)

    # --- deadlines and shares ---------------------------------------------------------------------------------------

    def murder_pending(self) -> None:
        """gunicorn's own, called after every wait: an end to what takes too long."""
        now = time.monotonic()
        if now < self._swept_at + SWEEP_SECONDS:
            return
        self._swept_at = now
        for conn in list(self._connections):
            if not self.alive and conn.phase is Phase.IDLE:
                conn.deadline = min(conn.deadline, now + STOP_KEEPALIVE_LINGER)
            if conn.phase is not Phase.WORK and conn.deadline < now:
                self._end_overdue(conn)

    def _end_overdue(self, conn: PatientConnection) -> None:
        """Whoever has begun a request is told; a connection that was opened in advance just ends."""
        if conn.phase is Phase.READING and conn.received:
            self._refuse(conn, 408)
        else:
            self._drop(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """gunicorn's own; `force`: this worker ends."""
        if force:
            for conn in list(self._connections):
                self._drop(conn)

    def _give_up_an_idle_one(self, address: str) -> bool:
        return self._give_up(lambda conn: conn.address == address and conn.phase is Phase.IDLE)

    def _give_up_a_waiting_one(self) -> bool:
        return self._give_up(lambda conn: conn.phase is Phase.IDLE) or self._give_up(
            lambda conn: conn.phase is not Phase.WORK
        )

    def _give_up(self, is_meant: Callable[[PatientConnection], bool]) -> bool:
        meant = [conn for conn in self._connections if is_meant(conn)]
        if not meant:
            return False
        self._drop(min(meant, key=lambda conn: conn.deadline))
        return True

    # --- the poller -------------------------------------------------------------------------------------------------

    def _expect(self, conn: PatientConnection, phase: Phase, seconds: float) -> None:
        conn.phase = phase
        conn.deadline = time.monotonic() + seconds

    def _recv(self, conn: PatientConnection) -> bytes | None:
        """None: nothing now; empty: the client is gone."""
        try:
            return conn.socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _watch(self, conn: PatientConnection, event: int, then: Callable[[PatientConnection], None]) -> None:
        self.poller.register(conn.socket, event, partial(self._if_open, conn, then))

    def _if_open(self, conn: PatientConnection, then: Callable[[PatientConnection], None], _: Any) -> None:
        """One event may close a connection whose own event was reported with it."""
        if conn in self._connections:
            then(conn)

    def _unwatch(self, conn: PatientConnection) -> None:
        with suppress(KeyError, ValueError, OSError):
            self.poller.unregister(conn.socket)

    def _drop(self, conn: PatientConnection) -> None:
        if conn not in self._connections:
            return
        self._unwatch(conn)
        del self._connections[conn]
        self._count(-1)
        self._by_address[conn.address] -= 1
        if not self._by_address[conn.address]:
            del self._by_address[conn.address]
        with suppress(OSError):
            conn.socket.close()

    def _count(self, more: int) -> None:
        self.nr_conns += more
        if self._accepting:
            self._share.hold(self.nr_conns)
