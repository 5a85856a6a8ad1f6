"""Calls that wait together are made as one, so that a crowd costs the store little more than one of it.

Whoever comes while no call is under way calls at once, for itself. Who comes meanwhile waits; when one of those
ends, one of those who wait makes one call for all of them. Nobody is answered before the call that holds theirs has
ended well. If it does not, each calls for itself, with its own repetitions and its own deadline: one that is refused
harms nobody else. No thread of its own. Called by `claims`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sync.clients.retrying import seconds_left
from sync.errors import StoreFailure, StoreUnavailable

Asked = TypeVar("Asked")
Told = TypeVar("Told")

# Above an ordinary call's time many times over: behind one that hangs nobody waits for longer than this.
PATIENCE_SECONDS = 0.25
# More than any call takes: one that is with a group waits until the group's call has ended, or its own deadline.
MOST_SECONDS = 15.0
# Under way at once. With two, groups were half as large, and a crowd's answers took a tenth more of a processor.
MOST_CALLS = 1
# Of one call. More than the threads that a process has for requests.
MOST_TOGETHER = 64


class _Turn(Generic[Asked, Told]):
    """One that asks. `ready`: it is `told`, or leads `group`, or is to call for itself."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.ready = threading.Event()
        self.group: list[_Turn[Asked, Told]] = []
        self.told: list[Told] = []


class Gathering(Generic[Asked, Told]):
    """Thread-safe. `one` makes a call for one; `all_of` for several, and answers for each in their order."""

    def __init__(
        self,
        one: Callable[[Asked], Told],
        all_of: Callable[[Sequence[Asked]], Sequence[Told]],
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._one = one
        self._all_of = all_of
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._waiting: deque[_Turn[Asked, Told]] = deque()
        self._calls = 0

    def ask(self, asked: Asked) -> Told:
        """What the call answered for this one. Raises what `one` does, and StoreUnavailable: the deadline has passed
        (a call that is still out may do it yet)."""
        turn: _Turn[Asked, Told] = _Turn(asked)
        with self._lock:
            if self._calls < MOST_CALLS:
                self._calls += 1
                turn.group = [turn]
            else:
                self._waiting.append(turn)
        if not turn.group and not turn.ready.wait(seconds_left(self._patience_seconds)) and not self._gives_up(turn):
            turn.ready.wait(seconds_left(MOST_SECONDS))
        if len(turn.group) > 1:
            self._call_for(turn.group)
        elif turn.group:
            try:
                return self._one(asked)
            finally:
                self._pass_on()
        if turn.told:
            return turn.told[0]
        # With nobody, or with a call that came to nothing.
        if not seconds_left():
            # Whoever waits is told so now: a store that hangs would keep them for one more call's least time.
            raise StoreUnavailable("no_time_left", "gathering")
        return self._one(asked)

    def _gives_up(self, turn: _Turn[Asked, Told]) -> bool:
        """False: it is with a group already."""
        with self._lock:
            if turn not in self._waiting:
                return False
            self._waiting.remove(turn)
            return True

    def _call_for(self, group: list[_Turn[Asked, Told]]) -> None:
        answers: Sequence[Told] = ()
        try:
            answers = self._all_of([turn.asked for turn in group])
        except StoreFailure:
            # Each finds out by itself what is wrong with its own.
            answers = ()
        finally:
            self._pass_on()
            is_whole = len(answers) == len(group)
            for turn, told in zip(group, answers if is_whole else [None] * len(group), strict=True):
                turn.told = [told] if told is not None else []
                turn.ready.set()

    def _pass_on(self) -> None:
        """To the one that waits longest, with all that wait."""
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
            # Under the lock: one that gives up at this moment must find that it leads, or nobody would.
            if not group:
                self._calls -= 1
            else:
                group[0].group = group
                group[0].ready.set()
