"""The service as a platform runs it: limits on what a client may send and how slowly, and a tidy end."""

from __future__ import annotations

import runpy
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from scripts.stack.ports import free_port
from sync.web.doors.long_work import THREADS
from sync.web.doors.patient_worker import REQUEST_SECONDS
from tests.flows.processes import CHECKOUT, Process, gunicorn
from tests.web.calls import CRON, POLL, assert_problem, bearer
from tests.web.doors.test_headers import EXPECTED
from tests.web.doors.test_slow import are_held
from tests.world import World, wait_until

# As in gunicorn.conf.py.
FIELDS = 64
# gunicorn's exit code for an application that cannot be made.
APP_LOAD_ERROR = 4


@pytest.fixture(scope="module")
def url(port: int) -> str:
    """Of the one process, which was sent a forged token at its start: that is stored while the tests run."""
    url = f"http://127.0.0.1:{port}"
    assert httpx.post(f"{url}{CRON}", headers=bearer("a.b.c"), timeout=60).status_code == 401
    return url


def answer_to(url: str, request: bytes) -> httpx.Response:
    """What is answered to these bytes, read to the connection's end."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall(request)
        head, _, body = b"".join(iter(lambda: connection.recv(4096), b"")).partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    return httpx.Response(int(head.split(b" ", 2)[1]), headers=[(name, value) for name, value in lines], content=body)


def test_the_share_of_long_work_is_reckoned_from_the_threads_there_are() -> None:
    assert runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))["threads"] == THREADS


def test_the_server_tells_no_version(url: str) -> None:
    assert httpx.get(f"{url}/healthz", timeout=60).headers["server"] == "gunicorn"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"GET /healthz HTTP/1.1", *(b"X-%d: x" % n for n in range(FIELDS - 2))], 200),
        ([b"GET /healthz HTTP/1.1", *(b"X-%d: x" % n for n in range(FIELDS + 1))], 431),
        ([b"GET /healthz HTTP/1.1", b"X-Long: " + b"x" * 8000], 200),
        ([b"GET /healthz HTTP/1.1", b"X-Long: " + b"x" * 9000], 431),
        ([b"GET /healthz?" + b"x" * 5000 + b" HTTP/1.1"], 414),
        ([b"GET /healthz HTTP/1.1", b"Content-Length: 1", b"Transfer-Encoding: chunked"], 400),
        ([b"GET /healthz HTTP/1.1", b"X_Goog_Channel_ID: x", b"bad name: x"], 400),
    ],
)
def test_heads_too_large_or_doubtful_are_refused(url: str, lines: list[bytes], status: int) -> None:
    answer = answer_to(url, b"\r\n".join([*lines, b"Host: x", b"Connection: close", b"", b""]))

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    assert answer.headers["connection"] == "close"
    if status != 200:
        assert_problem(answer, status)
        assert "x" * 20 not in answer.text


def test_a_head_without_end_is_refused_like_the_others(url: str) -> None:
    answer = answer_to(url, b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 70_000)

    assert_problem(answer, 431, "request_header_fields_too_large")
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED


def test_bad_settings_end_the_server_with_their_mends_and_no_traceback() -> None:
    arguments = ["-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"]
    server = Process(arguments, {"CRON_SECRET": "tooshort", "WEB_CONCURRENCY": "1", "PORT": str(free_port())})
    try:
        assert server.wait() == APP_LOAD_ERROR
        assert "Traceback" not in server.log
        assert 'CHANNEL_TOKEN_SECRET":"is missing' in server.log
        assert "tooshort" not in server.log
    finally:
        server.close()


@contextmanager
def dripping(url: str, head: bytes, count: int) -> Iterator[list[socket.socket]]:
    """So many clients that send a byte of their request now and then."""
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    stop = threading.Event()
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(count)]
        for client in clients:
            client.sendall(head)

        def drip() -> None:
            while not stop.wait(0.5):
                for client in clients:
                    with suppress(OSError):
                        client.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield clients
        finally:
            stop.set()
            thread.join()


def test_while_as_many_clients_drip_as_there_are_threads_others_are_answered(world: World, url: str) -> None:
    slow_head = f"POST {POLL} HTTP/1.1\r\nHost: x\r\nX-Slow: "
    slow_body = (
        f"POST {POLL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.supabase.service_key}\r\n"
        "Content-Length: 60000\r\n\r\n"
    )
    half = THREADS // 2
    with dripping(url, slow_head.encode(), half) as heads, dripping(url, slow_body.encode(), half) as bodies:
        assert httpx.get(f"{url}/healthz", timeout=REQUEST_SECONDS * 4).status_code == 200
        assert are_held([*heads, *bodies])


def test_what_was_refused_is_stored_at_the_end(world: World) -> None:
    world.db.execute("delete from security_events where kind = 'refused_key'")
    stored = (
        "select address_prefix, sum(count)::int as count from security_events where kind = 'refused_key' group by 1"
    )
    port = free_port()
    with gunicorn(world, port) as process:
        for _ in range(7):
            assert httpx.post(f"http://127.0.0.1:{port}{CRON}", headers=bearer("wrong"), timeout=60).status_code == 401
        assert world.rows(stored) == []
        process.terminate()
        process.wait()

    assert world.rows(stored) == [{"address_prefix": "127.0.0.0/24", "count": 7}]


def test_what_was_refused_is_stored_within_seconds(world: World, url: str) -> None:
    # The first may have been stored while other tests ran, and is gone with their rows.
    assert httpx.post(f"{url}{CRON}", headers=bearer("a.b.c"), timeout=60).status_code == 401
    wait_until(lambda: world.rows("select 1 from security_events where kind = 'bad_jwt'"), "stored")
