"""Faults on demand: rules that make chosen calls fail, wait, or lose their answer.

Owns matching of rules to calls, and calls that are held until a test releases them. Deterministic: a probability is
spread evenly (0.25 = every fourth matching call). What each provider alone can refuse stands with that provider.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import ControlError

# Where in a call each strikes. Before: nothing is done. After: it is done, and its answer suffers.
BEFORE = frozenset({"cut", "status", "refused", "throttled"})
AFTER = frozenset({"lost_answer", "status_after", "truncated", "foreign_answer", "slow", "hold"})
MAX_HOLD_SECONDS = 60.0


@dataclass
class Rule:
    """One fault in force. `call`: create, find, get, change, remove, leave; None: any."""

    kind: str
    call: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seconds: float = 1.0
    status: int = 503
    retry_after: float | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    seen: int = 0
    hits: int = 0
    held: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def strikes(self) -> bool:
        """Counts the call."""
        self.seen += 1
        turn = self.seen - self.skip
        if turn < 1 or int(turn * self.probability) == int((turn - 1) * self.probability):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules in force."""

    def __init__(self, own_kinds: Iterable[str]) -> None:
        self._kinds = BEFORE | AFTER | set(own_kinds)
        self._condition = threading.Condition()
        self._rules: list[Rule] = []

    def add(self, kind: str, match: dict[str, Any]) -> str:
        """Put a fault in force; its id. ControlError for an unknown kind or match."""
        if kind not in self._kinds:
            raise ControlError(f"no fault kind {kind!r}; there are {sorted(self._kinds)}")
        try:
            rule = Rule(kind, **match)
        except TypeError as error:
            raise ControlError(str(error)) from None
        with self._condition:
            self._rules.append(rule)
        return rule.id

    def take(self, call: str) -> dict[str, Rule]:
        """The rules that strike this call, by kind; each counts the strike."""
        with self._condition:
            return {rule.kind: rule for rule in self._rules if rule.call in {None, call} and rule.strikes()}

    def wait(self, struck: dict[str, Rule]) -> None:
        """Serve a call's delays: `slow`, then `hold` until released."""
        if "slow" in struck:
            time.sleep(struck["slow"].seconds)
        if "hold" in struck:
            rule = struck["hold"]
            self._count(rule, 1)
            rule.released.wait(MAX_HOLD_SECONDS)
            self._count(rule, -1)

    def _count(self, rule: Rule, change: int) -> None:
        with self._condition:
            rule.held += change
            self._condition.notify_all()

    def wait_held(self, fault_id: str, timeout: float) -> bool:
        """Whether a call is held by this rule, waiting up to `timeout` seconds for one."""
        with self._condition:
            rule = self._find(fault_id)
            return self._condition.wait_for(lambda: rule.held > 0, timeout)

    def release(self, fault_id: str) -> None:
        """Let the calls held by a rule go on, and end the rule."""
        with self._condition:
            rule = self._find(fault_id)
            self._rules.remove(rule)
        rule.released.set()

    def clear(self) -> None:
        """End every rule and release every held call."""
        with self._condition:
            ended, self._rules = self._rules, []
        for rule in ended:
            rule.released.set()

    def _find(self, fault_id: str) -> Rule:
        for rule in self._rules:
            if rule.id == fault_id:
                return rule
        raise ControlError(f"no fault {fault_id} is in force")
