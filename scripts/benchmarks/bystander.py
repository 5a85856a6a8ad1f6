"""What others feel: somebody who asks for `/healthz` on a new connection again and again, whatever else goes on."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx

PAUSE_SECONDS = 0.02
# Made once: httpx would read all certificates anew for each call, and be what is measured.
TLS = ssl.create_default_context()


@contextmanager
def bystander(url: str) -> Iterator[list[float]]:
    """Milliseconds of each answer, growing until the block ends. A refusal is raised then: it is no figure."""
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            began = time.perf_counter()
            httpx.get(f"{url}/healthz", timeout=30, verify=TLS).raise_for_status()
            took.append((time.perf_counter() - began) * 1000)
            over.wait(PAUSE_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield took
        finally:
            over.set()
    asking.result()
