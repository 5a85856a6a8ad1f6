"""Counts the calls that pass the gateway, and makes chosen ones fail, for tests of what a client does then.

A call is named `rpc/<function>` or by its table. Faults apply in the order they were added, each `times` times.
Called by gateway.py; driven over HTTP (`/_stack/…`) or through supabase.LocalSupabase.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["drop_before", "drop_after", "delay", "http_500", "hold"]
KINDS: tuple[str, ...] = get_args(Kind)
HOLD_LIMIT_SECONDS = 60.0


@dataclass
class Fault:
    """One way to fail.

    drop_before: reset the connection, the call never runs. drop_after: the call runs, its answer is lost (unknown
    outcome). delay: wait `seconds`, then run. http_500: answer 500 without running. hold: run only once released
    (or after `seconds`, at most a minute).
    """

    rpc: str
    kind: Kind
    times: int = 1
    seconds: float = 0.0
    holding: int = 0
    released: threading.Event = field(default_factory=threading.Event, repr=False)

    def wait(self) -> None:
        """Delay or hold the calling thread as this fault says."""
        limit = min(self.seconds or HOLD_LIMIT_SECONDS, HOLD_LIMIT_SECONDS)
        if self.kind in ("delay", "hold"):
            self.released.wait(self.seconds if self.kind == "delay" else limit)

    def matches(self, call: str) -> bool:
        """Whether the fault is meant for that call; `rpc` names a function, a table, or `*` for all."""
        return self.rpc in ("*", call) or f"rpc/{self.rpc}" == call


class Switchboard:
    """The counters and faults of one gateway; used by its threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._faults: list[Fault] = []

    def arrive(self, call: str) -> Fault | None:
        """Count an admitted call; the fault it must suffer, if any, is taken from the list."""
        with self._lock:
            self._calls[call] += 1
            for fault in self._faults:
                if fault.times > 0 and fault.matches(call):
                    fault.times -= 1
                    fault.holding += 1
                    return fault
        return None

    def leave(self, fault: Fault) -> None:
        """The call is through its fault; a used-up fault is forgotten."""
        with self._lock:
            fault.holding -= 1
            self._faults = [each for each in self._faults if each.times > 0 or each.holding > 0]

    def counters(self) -> dict[str, int]:
        """Calls since the last reset."""
        with self._lock:
            return dict(self._calls)

    def reset_counters(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._calls.clear()

    def add(self, description: Any) -> str | None:
        """Add a fault from its JSON form; an explanation when that makes no sense."""
        known = {"rpc", "kind", "times", "seconds"}
        if not isinstance(description, dict) or not isinstance(description.get("rpc"), str):
            return 'expected {"rpc": name, "kind": kind, "times"?: n, "seconds"?: x}'
        if description.get("kind") not in KINDS or set(description) - known:
            return f"kind is one of {', '.join(KINDS)}; keys are {', '.join(sorted(known))}"
        times, seconds = description.get("times", 1), description.get("seconds", 0)
        if not isinstance(times, int) or times < 1 or not isinstance(seconds, int | float) or seconds < 0:
            return "times is a whole number from 1, seconds a number from 0"
        with self._lock:
            self._faults.append(Fault(description["rpc"], description["kind"], times, float(seconds)))
        return None

    def clear(self) -> None:
        """Forget all faults and let held calls go on."""
        with self._lock:
            for fault in self._faults:
                fault.times = 0
                fault.released.set()
            self._faults = [fault for fault in self._faults if fault.holding > 0]

    def pending(self) -> list[dict[str, Any]]:
        """The faults still to happen or happening; `holding` counts calls inside one right now."""
        with self._lock:
            return [
                {"rpc": each.rpc, "kind": each.kind, "times": each.times, "holding": each.holding}
                for each in self._faults
            ]
