"""What a healthy request takes while 64 clients never read, 200 never end their request, and one user polls 60 times.

Crowds come from many addresses of the loopback network, a few from each (Linux only). A healthy request is `/healthz`
on a new connection.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx

from scripts.benchmarks.bystander import TLS, bystander
from scripts.benchmarks.ground import ground, gunicorn
from scripts.benchmarks.measuring import Measure, Row, Size, row_of, share

READERS, SENDERS, POLLS = 64, 200, 60
PER_ADDRESS = 8
POLL = "/functions/v1/calendar-polling-service"
PAGE = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 300
NEVER_ENDED = b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "


def misbehaving_clients(size: Size) -> Iterator[Row]:
    with ground() as here, gunicorn(here.environment) as url, ExitStack() as stays:
        here.google.configure(push="drop")
        user_id, _ = here.person(here.services(), "alice")
        here.google.add_fault("slow", method="events.list", seconds=0.5)
        with bystander(url) as alone:
            time.sleep(size.of(10, 1))
        port = int(url.rsplit(":", 1)[1])
        stays.enter_context(many(port, READERS, 10, PAGE))
        stays.enter_context(many(port, SENDERS, 11, NEVER_ENDED))
        stays.enter_context(polling(port, user_id, f"Bearer {here.environment['SUPABASE_SERVICE_ROLE_KEY']}"))
        time.sleep(size.of(3, 0))
        with bystander(url) as took:
            time.sleep(size.of(30, 1))
        yield row_of("median", "ms", took, alone)
        yield Row("p99", "ms", share(took, 0.99), min(took), max(took), share(alone, 0.99))


@contextmanager
def many(port: int, count: int, network: int, request: bytes) -> Iterator[None]:
    """So many clients that have sent this, and neither send more nor read; those that are let go come back."""
    stop = threading.Event()

    def keep(number: int) -> None:
        while not stop.is_set():
            with socket.socket() as client, suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.bind((f"127.{network}.{1 + number // PER_ADDRESS}.1", 0))
                client.connect(("127.0.0.1", port))
                client.settimeout(1)
                client.sendall(request)
                stop.wait(11)

    threads = [threading.Thread(target=keep, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()


@contextmanager
def polling(port: int, user_id: str, key: str) -> Iterator[None]:
    """One user's polls, so many at once, again and again."""
    stop = threading.Event()

    def poll() -> None:
        while not stop.is_set():
            with suppress(httpx.HTTPError):
                body = {"userId": user_id, "force": True}
                headers = {"Authorization": key}
                httpx.post(f"http://127.0.0.1:{port}{POLL}", json=body, headers=headers, timeout=60, verify=TLS)
            stop.wait(1)

    for _ in range(POLLS):
        threading.Thread(target=poll, daemon=True).start()
    try:
        yield
    finally:
        stop.set()


MEASURES = (
    Measure("misbehaving_clients", "a healthy request while many misbehave", "the same alone", misbehaving_clients),
)
