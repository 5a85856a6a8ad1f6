"""What follows from an endpoint's answer: delivered, tried again when, given up, slowed down, disabled.

The schedule and the statuses are those of the Standard Webhooks specification 1.0.0. Called by `jobs/events`.
"""

from __future__ import annotations

from sync.event_model import Answer, AttemptEnd
from sync.states import DeliveryState

# Before the first attempt, the second, …: 3 days and 3 hours in all.
DELAYS_SECONDS = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
# Attempts at what failed together come apart by this share of their delay.
SPREAD = 0.2
GONE = 410
OVERLOADED = frozenset({429, 502, 504})
# From so many failures in a row on, whatever they are, an endpoint counts as down: to try it with everything that waits
# would take days where each attempt waits for a time-out.
DOWN_AFTER = 9
# An overloaded endpoint is left alone, longer after each failure, and as long as it asks for, but no longer than the
# longest delay: what comes in between would pile up behind one careless header.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_RETRY_AFTER_SECONDS = 5.0, 600.0, 86_400.0
# An attempt that takes longer makes its endpoint a slow one.
SLOW_MS = 3000


def judge(answer: Answer, *, tries: int, failures_in_a_row: int, jitter: float) -> AttemptEnd:
    """`tries`: attempts so far, this one included. `failures_in_a_row`: of the endpoint, before it. `jitter` in
    0…1."""
    if answer.status is not None and 200 <= answer.status < 300:
        return AttemptEnd(DeliveryState.DELIVERED)
    code = answer.error_code or f"http_{answer.status}"
    if answer.status == GONE:
        # It stays pending: whoever enables the subscription again loses nothing.
        return AttemptEnd(DeliveryState.PENDING, code, disable_reason="gone_410")
    asked = None
    if answer.retry_after_seconds is not None:
        asked = min(answer.retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS)
    pause = _pause(answer.status in OVERLOADED or asked is not None, failures_in_a_row, asked or 0.0)
    if tries >= len(DELAYS_SECONDS):
        return AttemptEnd(DeliveryState.DEAD, code, pause_seconds=pause)
    delay = DELAYS_SECONDS[tries] * (1.0 + SPREAD * jitter)
    return AttemptEnd(DeliveryState.PENDING, code, max(delay, asked or 0.0), pause)


def _pause(is_overloaded: bool, failures_in_a_row: int, asked_seconds: float) -> float | None:
    steps = failures_in_a_row if is_overloaded else failures_in_a_row - DOWN_AFTER
    if steps < 0:
        return None
    return max(min(PAUSE_SECONDS * 2.0 ** min(steps, 16), LONGEST_PAUSE_SECONDS), asked_seconds)
