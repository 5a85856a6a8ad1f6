"""Clients that send slowly, never read, or come in crowds hold no thread, and the service answers others meanwhile."""

from __future__ import annotations

import itertools
import pkgutil
import runpy
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from sync.web.doors.long_work import THREADS
from sync.web.doors.patient_worker import (
    CLOSE_SECONDS,
    MAX_PER_ADDRESS,
    REQUEST_SECONDS,
    SEND_SECONDS,
    PatientWorker,
)
from tests.flows.processes import CHECKOUT
from tests.web.calls import CRON, POLL, WEBHOOK, bearer
from tests.web.doors.hasty_worker import HASTY_SECONDS
from tests.world import TLS, World

# Of all answers together: readers that read nothing take some megabytes each at first, in no time.
UNREAD_BYTES = 1_000_000
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


def others_are_answered(port: int, count: int = 10) -> bool:
    """Each on a connection of its own, sooner than one who takes no answer is let go."""
    url, patience = f"http://127.0.0.1:{port}/healthz", SEND_SECONDS * 0.8
    return {httpx.get(url, timeout=patience, verify=TLS).status_code for _ in range(count)} == {200}


def untaken_bytes(port: int) -> int:
    """Of what this port's process has sent, and nobody has received yet."""
    connections = map(str.split, Path("/proc/net/tcp").read_text().splitlines())
    return sum(
        int(queues.split(":")[0], 16) for _, own, _, _, queues, *_ in connections if own.endswith(f":{port:04X}")
    )


def are_held(crowd: Sequence[socket.socket]) -> bool:
    """Whether none of them has been answered or closed yet."""
    poll = select.poll()
    for client in crowd:
        poll.register(client, select.POLLIN)
    return not poll.poll(0)


def answers_of(client: socket.socket, count: int, *, within: float = 60) -> bytes:
    """What comes until so many status lines have, or the other side closes."""
    client.settimeout(within)
    read = b""
    while read.count(b"HTTP/1.1 ") < count or not read.endswith((b"\r\n\r\n", b"}", b"}\n")):
        data = client.recv(65536)
        if not data:
            break
        read += data
    return read


def is_closed(client: socket.socket, *, within: float = 20) -> bool:
    client.settimeout(within)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_readers_that_never_read_hold_no_thread(port: int) -> None:
    """Others ask until hardly anything more fits into the connections. Each reader's address is its own, for whoever is
    throttled is answered too briefly to fill one."""
    grown = UNREAD_BYTES
    with clients(port, THREADS, PAGE * 300, per_address=1):
        while grown >= UNREAD_BYTES:
            before = untaken_bytes(port)
            assert others_are_answered(port, 1)
            grown = untaken_bytes(port) - before if before else grown
        assert others_are_answered(port)


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
def test_senders_that_never_end_hold_no_thread_and_are_let_go(port: int, hasty_port: int, sent: bytes) -> None:
    with clients(port, 200, sent) as slow:
        assert others_are_answered(port)
        assert are_held(slow)
    with clients(hasty_port, 1, sent) as (client,):
        assert answers_of(client, 2)[9:12] == (b"408" if sent else b"")


def test_a_call_that_takes_longer_than_its_request_may_is_answered(world: World, hasty_port: int) -> None:
    world.supabase.fault("claim_due_calendars", "delay", seconds=HASTY_SECONDS + 1)
    url = f"http://127.0.0.1:{hasty_port}{CRON}"

    answer = httpx.post(url, headers=bearer(world.supabase.service_key), content=b"{}", timeout=60, verify=TLS)

    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() > HASTY_SECONDS


def test_a_platform_has_the_patience_that_is_declared() -> None:
    """Of the workers that are hastier, or have more, here alone."""
    configured = runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))["worker_class"]
    assert pkgutil.resolve_name(configured) is PatientWorker
    assert PatientWorker.request_seconds == REQUEST_SECONDS == 10


def test_clients_that_do_not_close_after_their_last_answer_hold_nothing_up(port: int) -> None:
    """So many that all threads together would be held for forty seconds."""
    crowd = round(THREADS * 40 / CLOSE_SECONDS)
    with clients(port, crowd, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
        began = time.monotonic()
        assert others_are_answered(port)
        assert time.monotonic() - began < 30


def test_one_address_has_only_its_share_of_connections(port: int) -> None:
    with clients(port, MAX_PER_ADDRESS + 20, b"GET", per_address=10_000) as crowd:
        assert others_are_answered(port)  # another address
        assert are_held(crowd[:MAX_PER_ADDRESS])
        assert all(is_closed(refused) for refused in crowd[MAX_PER_ADDRESS:])


def test_a_full_house_lets_those_go_that_wait_longest(port: int) -> None:
    with clients(port, 700, b"GET") as crowd:
        assert others_are_answered(port)
        assert is_closed(crowd[0])
        assert are_held(crowd[300:])


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
