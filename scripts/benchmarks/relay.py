"""A network between two processes: bytes are counted, and each request comes some milliseconds late. In a process of
its own, so that it takes nothing of what is measured."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.sharedctypes import Synchronized
from typing import Any
from urllib.parse import urlsplit


class Relay:
    """`url` leads to where `upstream` led; `moved` is how many bytes went either way."""

    def __init__(self, upstream: str, seconds: float = 0.0) -> None:
        where = urlsplit(upstream)
        self._target = (where.hostname or "127.0.0.1", where.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._bytes: Synchronized[int] = multiprocessing.get_context("fork").Value("q", 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        arguments = (self._listener, self._target, seconds, self._bytes)
        self._process = multiprocessing.get_context("fork").Process(target=_serve, args=arguments, daemon=True)
        # Held back until the process has its own way to end: before, the handler it was forked with would swallow it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def moved(self) -> int:
        return self._bytes.value

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()
        self._listener.close()


@contextmanager
def relayed(environment: dict[str, str], seconds: float = 0.0) -> Iterator[tuple[dict[str, str], list[Relay]]]:
    """An environment in which the store and Google lie behind such a network."""
    names = ("SUPABASE_URL", "GOOGLE_API_ENDPOINT")
    relays = [Relay(environment[name], seconds) for name in names]
    try:
        yield {**environment, **{name: relay.url for name, relay in zip(names, relays, strict=True)}}, relays
    finally:
        for relay in relays:
            relay.stop()


def _serve(listener: socket.socket, target: tuple[str, int], seconds: float, counted: Synchronized[int]) -> None:
    # Whose end it is has no table to print.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_join, args=(client, target, seconds, counted), daemon=True).start()


def _end_with_parent() -> None:
    """However that ends: this process has inherited the pipe by which a guardian is told of it."""
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(0)


def _join(client: socket.socket, target: tuple[str, int], seconds: float, counted: Any) -> None:
    server = socket.create_connection(target)
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A request is late once, however many pieces it comes in.
    turn = threading.Event()
    turn.set()
    threading.Thread(target=_pass, args=(server, client, counted, turn, None), daemon=True).start()
    _pass(client, server, counted, turn, seconds)


def _pass(source: socket.socket, to: socket.socket, counted: Any, turn: threading.Event, late: float | None) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            with counted.get_lock():
                counted.value += len(piece)
            if late is None:
                turn.set()
            elif turn.is_set():
                turn.clear()
                time.sleep(late)
            to.sendall(piece)
    for each in (source, to):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
