"""What others feel: somebody who asks again and again on a new connection, for `/healthz` or what they like, whatever
else goes on."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx

PAUSE_SECONDS = 0.02
# Made once: httpx would read all certificates anew for each call, and be what is measured.
TLS = ssl.create_default_context()


def asks_health(url: str) -> httpx.Response:
    return httpx.get(f"{url}/healthz", timeout=30, verify=TLS)


@contextmanager
def bystander(url: str, ask_once: Callable[[str], httpx.Response] = asks_health) -> Iterator[list[float]]:
    """Milliseconds of each answer, growing until the block ends. A refusal is raised then: it is no figure."""
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            began = time.perf_counter()
            ask_once(url).raise_for_status()
            took.append((time.perf_counter() - began) * 1000)
            over.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield took
        finally:
            over.set()
    asking.result()
