"""One httplib2 connection pool per thread: httplib2 is not thread-safe. Shared by the Google clients.

A server may close a connection that is idle, and a request may meet that end: then it is sent once more on a new
connection, whatever it asks for. It had no answer and most likely no reader. If it was read nevertheless, reading,
stopping, refreshing and revoking do no harm twice; a second `watch` is refused for its channel id and counts as one
whose answer was lost; a second use of an authorization code is refused, as its answer would be lost for good.
"""

from __future__ import annotations

import ssl
import threading
from typing import Any

import httplib2

# Google answers in tens to hundreds of milliseconds; a listing of 2500 events may take seconds.
TIMEOUT_SECONDS = 20.0


class ThreadHttp(threading.local):
    """`.http` is this thread's own connection."""

    def __init__(self) -> None:
        self.http = _KeptAlive(timeout=TIMEOUT_SECONDS)
        # Redirects would carry the bearer token to another host.
        self.http.follow_redirects = False


class _KeptAlive(httplib2.Http):
    def request(self, *args: Any, **kwargs: Any) -> Any:
        was_idle = any(connection.sock is not None for connection in self.connections.values())
        try:
            return super().request(*args, **kwargs)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            # Also http.client.RemoteDisconnected: the end before the first byte of an answer.
            self.close()
            if not was_idle:
                raise
        return super().request(*args, **kwargs)
