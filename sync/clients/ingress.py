"""One POST through a public door of our own. Called by the duty that watches the doors, and by the doctor.

As anybody on the internet would come: by name, with TLS, through whatever stands in front. No redirect is followed, for
Google follows none, and of the answer only the head counts.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from sync.clients.certificates import certificates
from sync.clients.retrying import seconds_left

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 10.0
USER_AGENT = "hybrid-calendar-monitor"


class IngressClient:
    """Thread-safe. Each probe has a connection of its own: one that is kept open would not see a certificate lapse."""

    def __init__(self) -> None:
        self._tls = certificates()

    def post(self, address: str, headers: Mapping[str, str]) -> tuple[Mapping[str, str], str | None]:
        """The answer's headers, and why it is none: a stable code, or None. Never raises for what the network does."""
        timeout = httpx.Timeout(_at_most(ANSWER_SECONDS), connect=_at_most(CONNECT_SECONDS))
        try:
            with (
                httpx.Client(verify=self._tls, timeout=timeout, follow_redirects=False) as client,
                client.stream("POST", address, headers={"User-Agent": USER_AGENT, **headers}) as answer,
            ):
                return answer.headers, None if answer.is_success else f"status_{answer.status_code}"
        except httpx.TimeoutException:
            return {}, "timeout"
        except httpx.ConnectError as failed:
            return {}, "tls_failed" if _is_tls(failed) else "not_connected"
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return {}, "no_answer"


def _at_most(seconds: float) -> float:
    """No longer than somebody waits."""
    return max(0.1, seconds_left(seconds))


def _is_tls(failed: BaseException) -> bool:
    cause: BaseException | None = failed
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
