"""gunicorn's threaded worker, whose patience ends: a client that sends its request byte by byte frees its thread.

gunicorn's `timeout` watches the worker's main loop only; sixteen slow clients could hold all threads of a worker for
ever where no platform's proxy stands in front. Named in `gunicorn.conf.py`.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

# Until a request of at most 64 KiB is all there. Google, GitHub and browsers take a fraction of a second.
REQUEST_SECONDS = 10.0


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Counts the time from a request's first byte to its last."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        self._reading[conn] = time.monotonic() + REQUEST_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._reading.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        names = {name.upper(): value for name, value in req.headers}
        if names.get("CONTENT-LENGTH", "0") == "0" and "TRANSFER-ENCODING" not in names:
            # All there; its answer may take as long as a sweep takes.
            self._reading.pop(conn, None)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """gunicorn's own, called every second at least, and an end to what is read too long: reading then sees the
        client gone; an answer under way is still sent."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._reading.items()):
            if deadline < now:
                self._reading.pop(conn, None)
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)
