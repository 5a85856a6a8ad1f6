"""One upstream's breaker: an outage costs probes, and not storms. Made by `breakers`, used by every client.

closed → open: so many failures in a row, of more than one user where one alone could cause them. open → half_open:
after a time that doubles with each failed probe, one call goes through; half_open → closed or open, by how it ends.
What fails is the client's to say: no answer, a foreign one, 5xx; never what the upstream says of one user, and no
quota. pybreaker keeps the circuit. Its own `call` holds a lock for as long as the call takes; here calls run side by
side, and only their ends are told to it.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import pybreaker

from sync.errors import SyncError
from sync.states import CircuitState
from sync.telemetry.metrics import BREAKER_OPEN, BREAKER_OPENED, BREAKER_REFUSED

T = TypeVar("T")

# What a call is told that comes while the one probe is under way.
PROBING_SECONDS = 1.0
# Of an open time, drawn anew each time: replicas do not probe together.
SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class Tripping:
    """`failures` in a row open it, from at least `subjects` different ones; first for `first_seconds`, after each
    failed probe for twice as long, `most_seconds` at most."""

    failures: int
    first_seconds: float
    most_seconds: float
    subjects: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """A breaker as it is now. `since`: in this state; for `half_open`, since it opened. `opened`: how often it did, by
    outage; `error_code`: of the failure that opened it last; `refused`: calls it has spared the upstream."""

    upstream: str
    state: CircuitState
    since: dt.datetime
    opened: int
    error_code: str | None
    refused: int


class _Failed(Exception):
    """Stands for a call that failed, when pybreaker is told."""


class Breaker:
    """Thread-safe. `counts`: whether a failure is the upstream's; `is_nobodys`: and cannot be one subject's alone.

    `down` makes what a call ends in that is not let through, of the seconds until the next probe; `tells_on_trip`: also
    what a counted failure ends in that finds or leaves the circuit open.
    """

    def __init__(
        self,
        upstream: str,
        rule: Tripping,
        *,
        counts: Callable[[Exception], bool],
        down: Callable[[float], SyncError],
        clock: Callable[[], float],
        chance: Callable[[], float],
        tells_on_trip: bool = False,
        is_nobodys: Callable[[Exception], bool] = lambda _failure: False,
    ) -> None:
        self.upstream = upstream
        self._rule = rule
        self._counts = counts
        self._down = down
        self._clock = clock
        self._chance = chance
        self._tells_on_trip = tells_on_trip
        self._is_nobodys = is_nobodys
        self._lock = threading.Lock()
        self._circuit = pybreaker.CircuitBreaker(fail_max=rule.failures, throw_new_error_on_trip=False)
        self._subjects: set[Hashable] = set()
        # Grows when it opens: what was begun before has nothing to say about the time after.
        self._era = 0
        self._failed_probes = 0
        self._probe_at = 0.0
        self._is_probing = False
        self._since = dt.datetime.now(dt.UTC)
        self._opened = 0
        self._refused = 0
        self._error_code: str | None = None
        # Seen as closed from the start on, and not only from the first outage.
        BREAKER_OPEN.labels(upstream).set(0)

    def call(self, do: Callable[[], T], *, subject: Hashable = None) -> T:
        """What `do` answers, if calls are let through. `subject`: whom it is about, if its failure could be theirs
        alone. Raises `down`, and what `do` does."""
        era = self._enter()
        try:
            answer = do()
        except Exception as failure:
            left = self._leave(era, failure, subject)
            if left and self._tells_on_trip and self._counts(failure):
                raise self._down(left) from failure
            raise
        except BaseException:
            self._leave(era, _Failed(), subject)
            raise
        self._leave(era, None, subject)
        return answer

    def refuse_while_down(self) -> None:
        """For what would only prepare a call. Raises `down`."""
        if seconds := self.wait_seconds():
            with self._lock:
                self._note_refused()
            raise self._down(seconds)

    def wait_seconds(self) -> float:
        """Until a call may be let through; 0.0: now."""
        with self._lock:
            return self._wait_seconds()

    @property
    def is_closed(self) -> bool:
        return self._circuit.current_state == pybreaker.STATE_CLOSED

    def read(self) -> Reading:
        with self._lock:
            state = CircuitState(self._circuit.current_state.replace("-", "_"))
            return Reading(self.upstream, state, self._since, self._opened, self._error_code, self._refused)

    def _wait_seconds(self) -> float:
        if self._is_probing:
            return PROBING_SECONDS
        return 0.0 if self.is_closed else max(0.0, self._probe_at - self._clock())

    def _enter(self) -> int:
        with self._lock:
            if seconds := self._wait_seconds():
                self._note_refused()
                raise self._down(seconds)
            if not self.is_closed:
                self._circuit.half_open()
                self._is_probing = True
            return self._era

    def _note_refused(self) -> None:
        self._refused += 1
        BREAKER_REFUSED.labels(self.upstream).inc()

    def _leave(self, era: int, failure: Exception | None, subject: Hashable) -> float:
        """Tells the circuit how a call ended; seconds for which it is open then."""
        with self._lock:
            if era == self._era:
                self._is_probing = False
                if failure is None or not (isinstance(failure, _Failed) or self._counts(failure)):
                    self._succeeded()
                else:
                    self._failed(failure, subject)
            return self._wait_seconds()

    def _succeeded(self) -> None:
        was_closed = self.is_closed
        self._circuit.call(lambda: None)
        self._subjects.clear()
        if not was_closed:
            self._failed_probes = 0
            self._since = dt.datetime.now(dt.UTC)
            BREAKER_OPEN.labels(self.upstream).set(0)

    def _failed(self, failure: Exception, subject: Hashable) -> None:
        was_closed = self.is_closed
        self._subjects.add(None if self._is_nobodys(failure) else subject)
        is_last = self._circuit.fail_counter + 1 >= self._rule.failures
        if was_closed and is_last and None not in self._subjects and len(self._subjects) < self._rule.subjects:
            # One user's trouble so far: their own backoff is enough.
            return
        with suppress(_Failed):
            self._circuit.call(_raise)
        if self.is_closed:
            return
        self._era += 1
        self._failed_probes = 0 if was_closed else self._failed_probes + 1
        seconds = min(self._rule.most_seconds, self._rule.first_seconds * 2.0 ** min(self._failed_probes, 30))
        self._probe_at = self._clock() + seconds * (1.0 - SPREAD * self._chance())
        self._error_code = failure.code if isinstance(failure, SyncError) else type(failure).__name__
        if was_closed:
            self._opened += 1
            BREAKER_OPENED.labels(self.upstream).inc()
            BREAKER_OPEN.labels(self.upstream).set(1)
            self._subjects.clear()
            self._since = dt.datetime.now(dt.UTC)


def _raise() -> None:
    raise _Failed
