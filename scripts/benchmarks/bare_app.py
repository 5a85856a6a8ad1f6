"""The least that a service of its kind can be: a WSGI application that asks the store's empty function before it
answers, under gunicorn's own threads. It checks and records nothing; no service that asks the store before it answers
can be faster. Both gunicorn's configuration and what it serves. Started by `doors`.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

worker_class = "gthread"
# As in gunicorn.conf.py.
threads = 16
keepalive = 75
control_socket_disable = True

_own = threading.local()


def application(_environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]) -> list[bytes]:
    key = os.environ["SUPABASE_SERVICE_ROLE_KEY"]
    headers = {"apikey": key, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = _connection()
    connection.request("POST", "/rest/v1/rpc/bench_floor", b"{}", headers)
    answer = connection.getresponse()
    answer.read()
    is_well = answer.status == http.client.OK
    start_response("204 No Content" if is_well else "502 Bad Gateway", [])
    return []


def _connection() -> http.client.HTTPConnection:
    """This thread's own, kept open."""
    if not hasattr(_own, "connection"):
        where = urlsplit(os.environ["SUPABASE_URL"])
        _own.connection = http.client.HTTPConnection(where.hostname or "", where.port)
        _own.connection.connect()
        _own.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _own.connection  # type: ignore[no-any-return]
