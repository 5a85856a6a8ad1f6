"""Says to a watchdog outside (Healthchecks and its like) that this service looks after itself. Called by
`jobs/operations/watch_over`: the watchdog tells somebody when this stays away.
"""

from __future__ import annotations

import httpx

from sync.clients.certificates import certificates

TIMEOUT_SECONDS = 10.0


class Heartbeat:
    """One GET of the URL, which holds a secret and is never told. Thread-safe; one per process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(verify=certificates(), timeout=TIMEOUT_SECONDS, follow_redirects=True)

    def beat(self) -> str | None:
        """None: it was heard. Else the code of what went wrong; nothing is raised."""
        try:
            with self._http.stream("GET", self._url) as answer:
                return None if answer.is_success else f"http_{answer.status_code}"
        except httpx.HTTPError as failed:
            return type(failed).__name__
