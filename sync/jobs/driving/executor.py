"""The bounded in-process executor: small tasks after a delay, each key once. Called by the driver.

Holds nothing that must happen: what it loses (a full queue, a crash) is found again, or a figure is a little low.
"""

from __future__ import annotations

import heapq
import threading
import time
from typing import Protocol

CAPACITY = 10_000


class Task(Protocol):
    """Answers seconds until it must run again, or None."""

    def __call__(self) -> float | None: ...


class Executor:
    """Runs keyed tasks after a delay, each key at most once at a time in the queue. Threads start with the first
    task, so that none is lost to a fork."""

    def __init__(self, threads: int, capacity: int = CAPACITY) -> None:
        self._threads = threads
        self._capacity = capacity
        self._queue: list[tuple[float, str]] = []
        self._tasks: dict[str, tuple[float, Task]] = {}
        self._condition = threading.Condition()
        self._running: list[threading.Thread] = []
        self._stopping = False

    def submit(self, key: str, task: Task, delay_seconds: float = 0.0) -> bool:
        """Queues the task, or moves it to the earlier time. False: the queue is full, or the process stops."""
        when = time.monotonic() + delay_seconds
        with self._condition:
            if self._stopping:
                return False
            queued = self._tasks.get(key)
            if queued is None and len(self._tasks) >= self._capacity:
                return False
            if queued is None or when < queued[0]:
                self._tasks[key] = (when, task)
                heapq.heappush(self._queue, (when, key))
            if not self._running:
                self._start()
            self._condition.notify()
        return True

    def stop_soon(self) -> None:
        """Only says so: a signal handler may interrupt a thread that holds the lock."""
        self._stopping = True

    def stop(self, timeout_seconds: float) -> None:
        """Takes nothing new, lets running tasks end."""
        with self._condition:
            self._stopping = True
            self._tasks.clear()
            self._queue.clear()
            self._condition.notify_all()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._running:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def _start(self) -> None:
        for number in range(self._threads):
            thread = threading.Thread(target=self._work, name=f"sync-{number}", daemon=True)
            self._running.append(thread)
            thread.start()

    def _next(self) -> tuple[str, Task] | None:
        """Waits for the next task whose time has come; None when stopping."""
        with self._condition:
            while not self._stopping:
                while self._queue and self._tasks.get(self._queue[0][1], (None,))[0] != self._queue[0][0]:
                    heapq.heappop(self._queue)
                wait = self._queue[0][0] - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    _, key = heapq.heappop(self._queue)
                    return key, self._tasks.pop(key)[1]
                self._condition.wait(wait)
            return None

    def _work(self) -> None:
        while found := self._next():
            key, task = found
            again = task()
            if again is not None:
                self.submit(key, task, again)
