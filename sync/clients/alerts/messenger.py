"""Tells one destination one message, as a process of its own: `destinations` starts it, with what to do on stdin.

Whatever a destination's library does with the network, its answers, the log or the time ends with this process. It gets
nothing of the service but the one address and the one text, imports nothing of it, and says nothing but how it went:
libraries put addresses, which hold secrets, into their messages.

stdin: {"check": [url, …]} → [true, …]: which are understood. {"url", "title", "body", "severity"} → null, or the code
of what went wrong.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

import apprise

_TYPES = {"warning": apprise.NotifyType.WARNING, "critical": apprise.NotifyType.FAILURE}


class _Statuses(logging.Handler):
    """Of all that is logged keeps the HTTP status alone."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"error=([1-5]\d\d)\b", record.getMessage())
        if found:
            self.seen = found[1]


def _quiet() -> _Statuses:
    statuses = _Statuses()
    root = logging.getLogger()
    root.handlers = [statuses]
    root.setLevel(logging.INFO)
    return statuses


def _opened(url: str) -> Any:
    return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _send(task: dict[str, str], statuses: _Statuses) -> str | None:
    destination = _opened(task["url"])
    if not destination:
        return "url_not_understood"
    messenger = apprise.Apprise()
    messenger.add(destination)
    sent = messenger.notify(
        title=task["title"],
        body=task["body"],
        notify_type=_TYPES.get(task["severity"], apprise.NotifyType.WARNING),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if sent:
        return None
    return f"http_{statuses.seen}" if statuses.seen else "not_taken"


def main() -> None:
    answer_to = sys.stdout
    # What a library prints is for nobody.
    sys.stdout = sys.stderr
    statuses = _quiet()
    task = json.load(sys.stdin)
    answer: object = [bool(_opened(url)) for url in task["check"]] if "check" in task else _send(task, statuses)
    json.dump(answer, answer_to)


if __name__ == "__main__":
    main()
