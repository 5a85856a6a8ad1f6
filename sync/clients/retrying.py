"""How a call that failed in passing is repeated at once: the one place for all clients.

Truncated exponential backoff with full jitter (each wait is drawn between nothing and a bound that doubles), so that
calls which failed together do not return together; never sooner than the other side asked. What outlives these few
repeats waits where its work stands (`core/polling/backoff`). Nobody is kept waiting beyond their deadline: whoever
answers a person sets one for the thread, and what would be repeated, or answered, after it is given up.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from sync.telemetry.metrics import RETRIES

T = TypeVar("T")

# What a call is left at least, however late it is begun: what is put in order after a deadline needs it.
LEAST_SECONDS = 3.0

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


@dataclass(frozen=True, slots=True)
class Retries:
    """Up to `attempts`; before the second one up to `first_seconds` pass, then up to twice as many, `most_seconds` at
    most. `asked_seconds`: a Retry-After up to this is waited for at once; a longer one ends it. `of`: what is repeated,
    as it is counted."""

    of: str
    attempts: int
    first_seconds: float
    most_seconds: float
    asked_seconds: float = 0.0


def retry(
    do: Callable[[], T],
    rule: Retries,
    *,
    passes: Callable[[BaseException], bool],
    asked: Callable[[BaseException], float] = lambda _failure: 0.0,
    pause: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] = random.random,
) -> T:
    """What `do` answers, in the end; raises its last failure. `passes`: whether that is worth repeating; `asked`:
    seconds that the other side wants to be left alone for. `chance`: 0…1."""
    # Nearly every call is answered at once, and needs none of what follows.
    try:
        return do()
    except BaseException as failure:
        if not passes(failure):
            raise
        first = [failure]

    def again() -> T:
        if first:
            raise first.pop()
        return do()

    def wait(state: RetryCallState) -> float:
        bound = min(rule.most_seconds, rule.first_seconds * 2.0 ** (state.attempt_number - 1))
        return max(bound * chance(), asked(_failure_of(state)))

    def stop(state: RetryCallState) -> bool:
        if state.attempt_number >= rule.attempts or asked(_failure_of(state)) > rule.asked_seconds:
            return True
        return state.upcoming_sleep >= seconds_left()

    def note(_state: RetryCallState) -> None:
        RETRIES.labels(rule.of).inc()

    retrying = Retrying(
        retry=retry_if_exception(passes), stop=stop, wait=wait, sleep=pause, before_sleep=note, reraise=True
    )
    return retrying(again)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Somebody waits for what this thread does in the block, for so long at most. An earlier deadline stays."""
    token = _ends_at.set(min(_ends_at.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _ends_at.reset(token)


def seconds_left(at_most: float = math.inf) -> float:
    """Until this thread's deadline, but `at_most`; never negative."""
    return min(at_most, max(0.0, _ends_at.get() - time.monotonic()))


def _failure_of(state: RetryCallState) -> BaseException:
    failure = state.outcome.exception() if state.outcome else None
    return failure or RuntimeError("nothing failed")
