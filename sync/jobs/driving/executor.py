"""The bounded in-process executor: syncs a calendar soon after its notification, without the webhook waiting for it.

Holds hints, not work: what it loses (a full queue, a crash) is still due in the store, and the next notification,
cron or worker finds it. Called by the webhook and by connecting; one per process.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import Protocol

from sync.errors import SyncError
from sync.jobs.services import LEASE_SECONDS, Services
from sync.jobs.syncing.sync_calendar import sync_claim
from sync.jobs.watching.renew_watches import stop_channels

CAPACITY = 10_000
# The store's clock decides when a calendar is due; a hint that fires early would find nothing and be lost.
EARLY_MARGIN_SECONDS = 0.05


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


class SyncExecutor:
    """The executor with the two things a notification can ask for."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._executor = Executor(services.settings.sync_threads)

    def sync_soon(self, calendar_id: str, delay_seconds: float = 0.0) -> None:
        """Syncs the calendar once it is due, which the store said is in `delay_seconds`."""
        delay = delay_seconds + EARLY_MARGIN_SECONDS if delay_seconds else 0.0
        if not self._executor.submit(f"sync:{calendar_id}", lambda: self._sync(calendar_id), delay):
            self._services.log.warning("hint_dropped", calendar_id=calendar_id)

    def stop_channel_soon(self, channel_id: str) -> None:
        """Stops a channel that spoke though it should be dead."""
        self._executor.submit(f"stop:{channel_id}", self._guarded(lambda: stop_channels(self._services, [channel_id])))

    def run_later(self, key: str, task: Task, delay_seconds: float) -> bool:
        """Runs something else after a delay, once per key; one that fails is logged and forgotten."""

        def guarded() -> float | None:
            again: list[float | None] = []
            self._guarded(lambda: again.append(task()))()
            return again[0] if again else None

        return self._executor.submit(key, guarded, delay_seconds)

    @property
    def is_stopping(self) -> bool:
        """Whether this process is to end: sweeps in requests stop too."""
        return self._executor.is_stopping

    def stop_soon(self) -> None:
        """Takes nothing new; what runs gives its claim back at the next page. Safe in a signal handler."""
        self._executor.stop_soon()

    def shut_down(self, timeout_seconds: float = 25.0) -> None:
        self._executor.stop(timeout_seconds)

    def _sync(self, calendar_id: str) -> float | None:
        again: list[float] = []

        def run() -> None:
            claimed = self._services.store.claims.claim_due(
                self._services.worker_name, limit=1, lease_seconds=LEASE_SECONDS, calendar_ids=[calendar_id]
            )
            for claim in claimed:
                outcome = sync_claim(self._services, claim, should_stop=lambda: self._executor.is_stopping)
                if outcome.again_in_seconds is not None:
                    again.append(outcome.again_in_seconds + EARLY_MARGIN_SECONDS)

        self._guarded(run)()
        return again[0] if again else None

    def _guarded(self, run: Callable[[], object]) -> Task:
        def task() -> None:
            try:
                run()
            except SyncError as failure:
                self._services.log.warning("hint_lost", error_code=failure.code)
            except Exception as bug:
                self._services.log.exception("executor_bug", error=type(bug).__name__)

        return task
