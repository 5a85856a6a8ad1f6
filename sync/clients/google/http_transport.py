"""One httplib2 connection pool per thread: httplib2 is not thread-safe. Shared by the Google clients."""

from __future__ import annotations

import threading

import httplib2

# Google answers in tens to hundreds of milliseconds; a listing of 2500 events may take seconds.
TIMEOUT_SECONDS = 20.0


class ThreadHttp(threading.local):
    """`.http` is this thread's own connection."""

    def __init__(self) -> None:
        self.http = httplib2.Http(timeout=TIMEOUT_SECONDS)
        # Redirects would carry the bearer token to another host.
        self.http.follow_redirects = False
