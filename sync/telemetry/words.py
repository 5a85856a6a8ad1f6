"""Label values: few, short, and ours, whatever the other side calls its failures."""

from __future__ import annotations

import re
import threading
from functools import cache

OTHER = "other"
# Of one label. Far more than any of ours has; codes of other services' making have no end of their own.
MOST = 60
_FORM = re.compile(r"[A-Za-z0-9_.:-]{1,60}\Z")
_JOINTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Words:
    """The values that one label has taken in this process. Thread-safe."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, word: str) -> str:
        """The word itself; `other` if it is no word, or one too many."""
        if word in self._known:
            return word
        with self._lock:
            if not _FORM.match(word) or len(self._known) >= self._most:
                return OTHER
            self._known.add(word)
            return word


@cache
def snake(name: str) -> str:
    """`RetryLater` → `retry_later`."""
    return _JOINTS.sub("_", name).lower()
