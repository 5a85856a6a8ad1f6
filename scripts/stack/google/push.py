"""Delivery of push notifications.

Owns the queue, the worker threads, retries, and every way delivery can misbehave (drop, duplicate, delay, reorder,
hold). One channel's notifications are sent one at a time, so that only the `reorder` switch changes their order. Runs
on real time, not the emulator's clock. Never called with anything to wait for: API calls only enqueue.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from .channels import Channel, Channels
from .clock import Clock, rfc3339
from .switches import Switches

WORKERS = 8
RETRIED = (500, 502, 503, 504)
SUCCESSFUL = (200, 201, 202, 204, 102)
# Message numbers grow "but not by one": a fixed, uneven stride keeps runs repeatable.
STRIDES = (1, 9, 2, 31, 3, 1, 7)
MAX_LOGGED = 10_000
MAX_BACKOFF_SECONDS = 60.0


@dataclass(order=True)
class Task:
    """One notification on its way; ordered by when it is due."""

    due: float
    order: int
    channel: Channel = field(compare=False)
    number: int = field(compare=False)
    state: str = field(compare=False)
    attempt: int = field(default=1, compare=False)
    created: float = field(default=0.0, compare=False)


class PushEngine:
    """Sends notifications from its own threads."""

    _channels: Channels
    _switches: Switches

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._queue: list[Task] = []
        self._held: list[Task] = []
        self._busy: set[str] = set()
        self._log: deque[dict[str, Any]] = deque(maxlen=MAX_LOGGED)
        self._order = itertools.count()
        self._strides = itertools.cycle(STRIDES)
        self._drop_debt = 0.0
        self._window_end = 0.0
        self._stopping = False
        self._generation = 0
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the workers."""
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"push-{n}", daemon=True) for n in range(WORKERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the workers; what is queued waits for the next start. One that is mid-delivery ends by itself."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join(timeout=1)

    def begin(self, channels: Channels, switches: Switches) -> None:
        """Serve these channels from now on; what was queued, held or logged before is forgotten."""
        with self._condition:
            self._channels, self._switches = channels, switches
            self._queue, self._held = [], []
            self._log.clear()
            self._drop_debt = 0.0
            self._generation += 1
            self._condition.notify_all()

    def announce(self, channel: Channel, state: str) -> None:
        """Queue a notification (`sync` or `exists`) as the switches would have it."""
        with self._condition:
            task = self._new_task(channel, state)
            if self._is_dropped(state):
                self._record(task, "dropped", None)
                return
            copies = [replace(task, order=self._next_order(task)) for _ in range(1 + self._switches.duplicate)]
            (self._held if self._switches.push == "hold" else self._queue).extend(copies)
            self._condition.notify_all()

    def announce_now(self, channel: Channel) -> None:
        """Send the handshake before the answer to watch, in the calling thread."""
        with self._condition:
            task = self._new_task(channel, "sync")
            generation = self._generation
        self._attempt(task, generation)

    def _new_task(self, channel: Channel, state: str) -> Task:
        channel.number = 1 if state == "sync" else channel.number + next(self._strides)
        now = time.monotonic()
        due = now + self._switches.latency_seconds + self._switches.delay_seconds
        if self._switches.reorder and state != "sync":
            if self._window_end <= now:
                self._window_end = now + self._switches.reorder_window_seconds
            due = self._window_end
        return Task(due, 0, channel, channel.number, state, created=now)

    def _next_order(self, task: Task) -> int:
        order = next(self._order)
        return -order if self._switches.reorder and task.state != "sync" else order

    def _is_dropped(self, state: str) -> bool:
        if self._switches.push == "drop":
            return True
        if state == "sync":
            return False
        if self._switches.drop_next > 0:
            self._switches.drop_next -= 1
            return True
        # A rate is spread evenly rather than drawn: 0.25 loses every fourth.
        self._drop_debt += self._switches.drop_rate
        if self._drop_debt >= 1.0:
            self._drop_debt -= 1.0
            return True
        return False

    def flush(self) -> int:
        """Send what `hold` held, and what is waiting for a delay or a reordering; how many."""
        with self._condition:
            now = time.monotonic()
            count = len(self._held) + len(self._queue)
            self._queue = [replace(task, due=min(task.due, now)) for task in self._queue] + [
                replace(task, due=now) for task in self._held
            ]
            self._held = []
            self._condition.notify_all()
            return count

    def wait_idle(self, timeout: float) -> bool:
        """Whether nothing is queued, in flight or waiting for a retry (what is held does not count)."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._queue and not self._busy, timeout)

    def deliveries(self) -> list[dict[str, Any]]:
        """Every attempt and every drop, oldest first."""
        with self._condition:
            return list(self._log)

    def _work(self) -> None:
        while True:
            with self._condition:
                task = self._next_task()
                if task is None:
                    return
                self._busy.add(task.channel.id)
                generation = self._generation
            retry = self._attempt(task, generation)
            with self._condition:
                self._busy.discard(task.channel.id)
                if retry and generation == self._generation:
                    self._queue.append(retry)
                self._condition.notify_all()

    def _next_task(self) -> Task | None:
        """Wait for a task that is due on a channel nobody is sending to; None when stopping. Holds the condition."""
        while not self._stopping:
            now = time.monotonic()
            ready = [task for task in self._queue if task.channel.id not in self._busy]
            first = min(ready, default=None)
            if first is not None and first.due <= now:
                self._queue.remove(first)
                return first
            self._condition.wait(first.due - now if first else None)
        return None

    def _attempt(self, task: Task, generation: int) -> Task | None:
        """Send once; the task to queue again if Google would retry."""
        if not self._channels.is_live(task.channel) and task.channel.state == "expired":
            status, outcome = None, "expired"
        else:
            status = self._post(task)
            outcome = "delivered" if status in SUCCESSFUL else "failed"
        retried = outcome == "failed" and (status is None or status in RETRIED)
        if retried:
            outcome = "retrying" if task.attempt < self._switches.push_max_attempts else "gave_up"
        with self._condition:
            if generation == self._generation:
                self._record(task, outcome, status)
        if outcome != "retrying":
            return None
        backoff = min(self._switches.push_retry_base_seconds * 2 ** (task.attempt - 1), MAX_BACKOFF_SECONDS)
        return replace(task, due=time.monotonic() + backoff, attempt=task.attempt + 1)

    def _post(self, task: Task) -> int | None:
        parts = urlsplit(task.channel.address)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = kind(parts.hostname or "", parts.port, timeout=self._switches.push_timeout_seconds)
        try:
            connection.request("POST", target, headers=headers_of(task))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return answer.status

    def _record(self, task: Task, outcome: str, status: int | None) -> None:
        self._log.append(
            {
                "at": rfc3339(self._clock.now()),
                "channel": task.channel.id,
                "calendar": task.channel.calendar_id,
                "number": task.number,
                "state": task.state,
                "attempt": task.attempt,
                "outcome": outcome,
                "status": status,
                "latency_seconds": round(time.monotonic() - task.created, 4),
            }
        )


def headers_of(task: Task) -> dict[str, str]:
    """The headers of a notification; the body is empty."""
    channel = task.channel
    headers = {
        "Accept": "*/*",
        "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google)",
        "Content-Length": "0",
        "X-Goog-Channel-ID": channel.id,
        "X-Goog-Channel-Expiration": formatdate(channel.expires_at, usegmt=True),
        "X-Goog-Message-Number": str(task.number),
        "X-Goog-Resource-ID": channel.resource_id,
        "X-Goog-Resource-State": task.state,
        "X-Goog-Resource-URI": channel.resource_uri,
    }
    return headers | ({"X-Goog-Channel-Token": channel.token} if channel.token is not None else {})
