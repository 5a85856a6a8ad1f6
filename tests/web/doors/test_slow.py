"""Clients that send slowly, never read, or come in crowds hold no thread, and the service answers others meanwhile."""

from __future__ import annotations

import itertools
import pkgutil
import runpy
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from sync.web.doors.patient_worker import MAX_PER_ADDRESS, REQUEST_SECONDS, PatientWorker
from tests.flows.processes import CHECKOUT
from tests.web.calls import CRON, POLL, WEBHOOK, bearer
from tests.web.doors.hasty_worker import HASTY_SECONDS
from tests.world import TLS, World

# What somebody notices.
SOON_SECONDS = 2.0
_networks = itertools.count(1)
PAGE = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def clients(port: int, count: int, request: bytes, *, per_address: int = 8) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this, with the smallest of windows, and read nothing; few from one address.
    Each call's addresses are its own: no test is throttled for another's."""
    network = next(_networks)
    with ExitStack() as stack:
        opened = []
        for number in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.bind((f"127.{network}.{1 + number // per_address}.1", 0))
            client.connect(("127.0.0.1", port))
            client.sendall(request)
            opened.append(client)
        yield opened


def slowest_answer(port: int, count: int = 10) -> float:
    """Seconds; each on a connection of its own."""
    slowest = 0.0
    for _ in range(count):
        began = time.monotonic()
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60, verify=TLS).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def answers_of(client: socket.socket, count: int, *, within: float = 20) -> bytes:
    """What comes until so many status lines have, or the other side closes."""
    client.settimeout(within)
    read = b""
    while read.count(b"HTTP/1.1 ") < count or not read.endswith((b"\r\n\r\n", b"}", b"}\n")):
        data = client.recv(65536)
        if not data:
            break
        read += data
    return read


def is_closed(client: socket.socket, *, within: float = SOON_SECONDS) -> bool:
    client.settimeout(within)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_readers_that_never_read_hold_no_thread(port: int) -> None:
    with clients(port, 64, PAGE * 300):
        assert slowest_answer(port) < SOON_SECONDS


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        f"POST {POLL} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{{".encode(),
        f"POST {POLL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n".encode(),
    ],
    ids=["silent", "head", "body", "chunks"],
)
def test_senders_that_never_end_hold_no_thread_and_are_let_go(hasty_port: int, sent: bytes) -> None:
    with clients(hasty_port, 200, sent) as slow:
        assert slowest_answer(hasty_port) < SOON_SECONDS
        began = time.monotonic()
        told = answers_of(slow[0], 2, within=HASTY_SECONDS * 4)
        assert time.monotonic() - began < HASTY_SECONDS + SOON_SECONDS
    assert told[9:12] == (b"408" if sent else b"")


def test_a_call_that_takes_longer_than_its_request_may_is_answered(world: World, hasty_port: int) -> None:
    world.supabase.fault("claim_due_calendars", "delay", seconds=HASTY_SECONDS + 1)
    url = f"http://127.0.0.1:{hasty_port}{CRON}"

    answer = httpx.post(url, headers=bearer(world.supabase.service_key), content=b"{}", timeout=60, verify=TLS)

    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() > HASTY_SECONDS


def test_a_platform_has_the_patience_that_is_declared() -> None:
    """Of the worker that is hastier here alone."""
    configured = runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))["worker_class"]
    assert pkgutil.resolve_name(configured) is PatientWorker
    assert PatientWorker.request_seconds == REQUEST_SECONDS == 10


def test_clients_that_do_not_close_after_their_last_answer_hold_nothing_up(port: int) -> None:
    with clients(port, 40, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
        assert slowest_answer(port) < SOON_SECONDS


def test_one_address_has_only_its_share_of_connections(port: int) -> None:
    with clients(port, MAX_PER_ADDRESS + 20, b"GET", per_address=10_000) as crowd:
        assert slowest_answer(port) < SOON_SECONDS  # another address
        assert all(is_closed(refused) for refused in crowd[MAX_PER_ADDRESS:])
        assert not any(is_closed(kept, within=0.01) for kept in crowd[:MAX_PER_ADDRESS])


def test_a_full_house_lets_those_go_that_wait_longest(port: int) -> None:
    with clients(port, 700, b"GET"):
        assert slowest_answer(port) < SOON_SECONDS


def test_requests_sent_at_once_are_answered_one_after_the_other(port: int) -> None:
    chunked = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n".encode()
    healthy = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with clients(port, 1, healthy + chunked + healthy) as (client,):
        answers = answers_of(client, 3)

    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"401", b"200"]


def test_a_request_that_comes_byte_by_byte_in_time_is_answered(port: int) -> None:
    with clients(port, 1, b"") as (client,):
        for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
            client.sendall(bytes([byte]))
        assert answers_of(client, 1).startswith(b"HTTP/1.1 200")


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(port: int) -> None:
    head = f"POST {POLL} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode()
    with clients(port, 1, head) as (client,):
        assert answers_of(client, 1).startswith(b"HTTP/1.1 100")
        client.sendall(b"{}")
        assert answers_of(client, 1).startswith(b"HTTP/1.1 401")


def test_a_body_beyond_the_limit_is_refused_unread(port: int) -> None:
    head = f"POST {POLL} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n".encode()
    with clients(port, 1, head) as (client,):
        refused = answers_of(client, 2)
    assert refused[9:12] in (b"413", b"401")
    assert b"\r\nconnection: close\r\n" in refused.lower()
