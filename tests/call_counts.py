"""How much work something is, free of the clock."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def calls_made(work: Callable[[], object]) -> int:
    """Python's and C's calls and returns while it runs in this thread."""
    made = 0

    def count(*_: object) -> None:
        nonlocal made
        made += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return made


@contextmanager
def at_most_calls(limit: int) -> Iterator[None]:
    """Ends what runs inside with an AssertionError as soon as it has made more calls and returns, so that what would
    never end is seen at once."""
    made = 0

    def count(*_: object) -> None:
        nonlocal made
        made += 1
        if made > limit:
            raise AssertionError(f"more than {limit:,} calls")

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
