"""Does a process' share of the duties: each at its time, side by side, each once for all. Called by the driver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import schedule

from sync.errors import SyncError
from sync.jobs.driving.duties import Duty
from sync.jobs.services import Services


class Timekeeper:
    """A duty that still runs when its time comes again is left to run."""

    def __init__(self, services: Services, duties: Sequence[Duty], is_stopping: Callable[[], bool]) -> None:
        self._services = services
        self._duties = tuple(duties)
        self._is_stopping = is_stopping
        self._running: set[str] = set()
        # Asked for while it ran: what it had read by then may be older.
        self._again: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._pool = ThreadPoolExecutor(len(self._duties), thread_name_prefix="duty")

    def start(self) -> None:
        threading.Thread(target=self._keep_time, name="duties", daemon=True).start()

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    def shut_down(self, timeout_seconds: float = 0.0) -> None:
        """What runs is told to stop by itself, and waited for that long."""
        self._pool.shutdown(wait=False)
        with self._ended:
            self._ended.wait_for(lambda: not self._running, timeout_seconds)

    def _keep_time(self) -> None:
        scheduler = schedule.Scheduler()
        for duty in self._duties:
            scheduler.every(duty.every_seconds).seconds.do(self._begin, duty)
            if duty.at_start:
                self._begin(duty)
        while not self._is_stopping():
            scheduler.run_pending()
            time.sleep(min(1.0, max(0.05, scheduler.idle_seconds or 0.0)))

    def after_commit(self) -> None:
        """Meetings have changed: what follows from that is done now, and once more if it runs already."""
        for duty in self._duties:
            if duty.follows_commits:
                self._begin(duty, once_more=True)

    def _begin(self, duty: Duty, *, once_more: bool = False) -> None:
        with self._lock:
            if self._is_stopping():
                return
            if duty.name in self._running:
                self._again |= {duty.name} if once_more else set()
                return
            try:
                self._pool.submit(self._do, duty)
            except RuntimeError:
                # Shut down since: another process' turn comes.
                return
            self._running.add(duty.name)

    def _do(self, duty: Duty) -> None:
        try:
            if duty.is_everybodys or self._is_our_turn(duty):
                duty.work()
        except SyncError as failure:
            self._services.operator_faults.tell("duty_failed", failure, duty=duty.name)
        except Exception as bug:
            self._services.log.exception("duty_bug", duty=duty.name, error=type(bug).__name__)
        finally:
            self._end(duty)

    def _end(self, duty: Duty) -> None:
        with self._lock:
            self._running.discard(duty.name)
            is_owed = duty.name in self._again
            self._again.discard(duty.name)
            self._ended.notify_all()
        if is_owed:
            self._begin(duty)

    def _is_our_turn(self, duty: Duty) -> bool:
        # A little less than its time: two processes' clocks never beat together.
        every = duty.every_seconds * 0.9
        return self._services.store.claims.take_job(duty.name, every, self._services.worker_name)
