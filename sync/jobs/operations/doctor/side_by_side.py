"""Examinations side by side, each for so long at most: one that hangs holds up neither the others nor the end of the
process. Called by `examine`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sync.clients.retrying import deadline
from sync.core.operations.doctor.verdict import Verdict, failed, unchecked


class Look(Protocol):
    def __call__(self) -> list[Verdict]: ...


@dataclass(frozen=True, slots=True)
class Examination:
    """`checks`: the points that `look` gives verdicts on, for where it gives none. `needs`: keys of the environment."""

    checks: tuple[str, ...]
    needs: frozenset[str]
    look: Look


def side_by_side(examinations: Sequence[Examination], unset: Mapping[str, str], seconds: float) -> list[Verdict]:
    """All verdicts, in the order of the examinations. `unset`: keys that are not set right."""
    found: dict[int, list[Verdict]] = {}
    threads = []
    for place, each in enumerate(examinations):
        lacking = sorted(each.needs & unset.keys())
        if lacking:
            found[place] = [unchecked(check, f"{lacking[0]} is to be set right first.") for check in each.checks]
            continue
        # Not a pool's: those are waited for at the end of the process.
        thread = threading.Thread(target=_look, args=(found, place, each, seconds), daemon=True)
        thread.start()
        threads.append(thread)
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = f"It did not end within {seconds:g} s."
    return [
        verdict
        for place, each in enumerate(examinations)
        for verdict in found.get(place) or [unchecked(check, late) for check in each.checks]
    ]


def _look(found: dict[int, list[Verdict]], place: int, examination: Examination, seconds: float) -> None:
    # What a call is given up at leaves it time to say so.
    with deadline(seconds * 0.6):
        try:
            found[place] = examination.look()
        except Exception as bug:  # noqa: BLE001 - the other examinations are told all the same
            seen = f"This check is broken itself ({type(bug).__name__})."
            found[place] = [failed(check, "bug", seen, "Report it.") for check in examination.checks]
