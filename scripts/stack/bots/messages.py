"""Messages about bots to a subscriber's URL: signed, and lost, doubled, late or out of order on demand.

Owns the queue and its thread, and the log of what was sent. The signing is the provider's. A message that is refused is
sent again a few times, then lost, as theirs are.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
ATTEMPTS = 3


@dataclass(frozen=True)
class Message:
    """A message's id, its body, and what is sent: made anew for each attempt, for a signature may hold the time."""

    id: str
    body: dict[str, Any]
    sign: Callable[[], tuple[bytes, dict[str, str]]]


class Messages:
    """`url`: where to, None: nowhere. `hold` keeps messages until `flush`; `drop_rate` loses every so many, evenly."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._queue: list[Message] = []
        self._busy = False
        self._debt = 0.0
        self.reset()

    def reset(self) -> None:
        """As at the beginning: nothing queued, nowhere to send it."""
        with self._condition:
            self._queue.clear()
            self._held: list[Message] = []
            self._log: list[dict[str, Any]] = []
            self._debt = 0.0
            self.url: str | None = None
            self.hold, self.drop_next, self.drop_rate, self.duplicate = False, 0, 0.0, 0

    def start(self) -> None:
        """Send from a thread of its own, for as long as the process lives."""
        threading.Thread(target=self._work, name="bot-messages", daemon=True).start()

    def put(self, message: Message) -> None:
        """Queue it, or lose it, as the switches say."""
        with self._condition:
            if self.url is None:
                return
            if self._is_dropped():
                self._log.append({"id": message.id, "body": message.body, "outcome": "dropped"})
                return
            place = self._held if self.hold else self._queue
            place.extend([message] * (1 + self.duplicate))
            self._condition.notify_all()

    def _is_dropped(self) -> bool:
        if self.drop_next > 0:
            self.drop_next -= 1
            return True
        self._debt += self.drop_rate
        if self._debt >= 1.0:
            self._debt -= 1.0
            return True
        return False

    def flush(self, *, reverse: bool = False) -> int:
        """Send what is held; how many."""
        with self._condition:
            held, self._held = self._held, []
            self._queue.extend(reversed(held) if reverse else held)
            self._condition.notify_all()
            return len(held)

    def wait_idle(self, timeout: float) -> bool:
        """Whether nothing is queued or being sent (what is held does not count)."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._queue and not self._busy, timeout)

    def log(self) -> list[dict[str, Any]]:
        """Every message, oldest first: its outcome is delivered, gave_up or dropped."""
        with self._condition:
            return list(self._log)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: bool(self._queue))
                message, url, self._busy = self._queue.pop(0), self.url, True
            statuses: list[int | None] = []
            while url and len(statuses) < ATTEMPTS and not (statuses and 200 <= (statuses[-1] or 0) < 300):
                statuses.append(_post(url, *message.sign()))
            with self._condition:
                delivered = bool(statuses) and 200 <= (statuses[-1] or 0) < 300
                outcome = "delivered" if delivered else "gave_up"
                self._log.append({"id": message.id, "body": message.body, "outcome": outcome, "statuses": statuses})
                self._busy = False
                self._condition.notify_all()


def _post(url: str, body: bytes, headers: dict[str, str]) -> int | None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer.status
