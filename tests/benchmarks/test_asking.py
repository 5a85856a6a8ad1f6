"""Answers are counted once they are whole, of every connection, and a refusal is no figure."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.benchmarks.asking import Asking, is_whole, request_of

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("parts", "is_the_last_whole"),
    [
        ([HEAD, b"Content-Length: 3\r\n\r", b"\nab", b"c"], True),
        ([HEAD, b"content-length: 3\r\n\r\nab"], False),
        ([b"HTTP/1.1 204 No Content\r\n", b"\r\n"], True),
        ([HEAD, b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n", b"0\r\n\r\n"], True),
        ([HEAD, b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n"], False),
    ],
)
def test_an_answer_is_whole_with_its_last_byte(parts: list[bytes], is_the_last_whole: bool) -> None:
    so_far = [b"".join(parts[: number + 1]) for number in range(len(parts))]
    assert [is_whole(each) for each in so_far] == [False] * (len(parts) - 1) + [is_the_last_whole]


@contextmanager
def served(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Its address, and what came: a request in each line that is told apart by its end."""
    came: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                if line == b"\r\n":
                    came.append(b"request")
                    self.wfile.write(answer)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        # With five, one of eight who come at once is heard a second later.
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/there", came
        finally:
            server.shutdown()


@pytest.mark.parametrize(("connections", "requests"), [(1, 5), (4, 10), (8, 3)])
def test_as_many_are_asked_and_answered_as_are_wanted(connections: int, requests: int) -> None:
    with served(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (url, came):
        *answers, whole = Asking(url, lambda: request_of(url, {"A": "b"}), connections, requests)()

    assert (len(answers), len(came)) == (requests, requests)
    assert max(answers) <= whole


def test_a_refusal_ends_the_measure() -> None:
    with (
        served(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n") as (url, _),
        pytest.raises(ConnectionError, match="429"),
    ):
        Asking(url, lambda: request_of(url, {}), 2, 5)()
