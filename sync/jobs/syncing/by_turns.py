"""Work that reckons, one piece at a time in a process. Called by `commit_changes` for what may take long to make.

Threads share one interpreter, so that two that reckon are done no sooner than one after the other; but a request, which
asks for the interpreter a dozen times, would wait for each of them each time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TypeVar

Piece = TypeVar("Piece")

_turn = threading.Lock()


def by_turns(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same pieces. While one is made no other is; what is done with it meanwhile is not waited for."""
    while True:
        with _turn:
            try:
                piece = next(pieces)
            except StopIteration:
                return
        yield piece
