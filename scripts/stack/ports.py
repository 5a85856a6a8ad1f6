"""Finds free loopback ports for the stack's processes. Called by postgres.py, postgrest.py and environment.py.

The ports lie below the range from which Linux and macOS serve outgoing connections, so that none of those takes a
port between its choice and its use. On Linux a chosen port is kept from other stacks until this process ends; elsewhere
two may choose the same one: whoever binds second retries.
"""

from __future__ import annotations

import secrets
import socket
import sys

LOWEST_PORT = 20_000
HIGHEST_PORT = 31_999
_given: set[int] = set()
_kept: list[socket.socket] = []


def free_port() -> int:
    """A port nobody listens on now, and which this process has not been given before."""
    for _ in range(1000):
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT + 1)
        if port in _given:
            continue
        if _take(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port between {LOWEST_PORT} and {HIGHEST_PORT} on 127.0.0.1")


def _take(port: int) -> bool:
    """Whether it is free; then it is kept."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.close()
        return False
    if sys.platform == "linux":
        # A socket that never listens stands in the way only of those who do not ask for reuse, as the bind above; every
        # server asks for it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _kept.append(probe)
    else:
        probe.close()
    return True
