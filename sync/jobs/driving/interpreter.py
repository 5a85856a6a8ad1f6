"""How a process shares its one interpreter between syncs that reckon and requests that wait for a few lines of Python.
Called once everything is built, by gunicorn's workers and by the continuous worker."""

from __future__ import annotations

import gc
import sys

# A request asks for the interpreter again after each wait for a socket, and gets it from a thread that reckons after
# this. With Python's own 5 ms one costly event made everybody's answers ten times as slow.
SWITCH_SECONDS = 0.001


def share_interpreter() -> None:
    """No thread keeps the others waiting for long: not by reckoning, and not by collecting garbage, for which all
    stand still. What the process was built of is never garbage, and is looked at no more: that was 60 to 90 ms each
    time that a sync had made many new objects."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
