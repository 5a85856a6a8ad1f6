"""How long to wait after a failure. Pure: the random share is passed in. Called by the failure and watch policies.

Google asks for min(2^n + random(0..1 s), maximum) and for Retry-After to be honoured when present
(Calendar API guide "Handle API errors").
"""

from __future__ import annotations


def backoff_seconds(
    failures: int, jitter: float, *, first_seconds: float, most_seconds: float, at_least_seconds: float = 0.0
) -> float:
    """Seconds to wait after the `failures`-th failure in a row (1 = the first).

    `jitter` in [0, 1) adds up to a quarter, so that calendars that failed together do not return together.
    `at_least_seconds` is Google's Retry-After: it wins over the maximum.
    """
    doubled = first_seconds * 2.0 ** min(max(failures - 1, 0), 30)
    waited = min(doubled, most_seconds)
    return max(waited, at_least_seconds) * (1 + jitter / 4)
