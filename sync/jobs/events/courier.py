"""Delivers what is due to subscribers, on threads of its own: no sync waits for a slow endpoint, and no endpoint for
another.

Every process has one, as it has a driver: woken when a sync of the process has committed something, and looking by
itself every SWEEP_SECONDS. Started by the driver; the polling cron runs one until nothing is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sync.core.events.delivery_rules import DELAYS_SECONDS, SLOW_MS
from sync.errors import SyncError
from sync.event_model import Delivery
from sync.jobs.events.deliver import deliver
from sync.jobs.services import Services

# Attempts side by side in one process; of endpoints that failed or were slow last, half of them at most.
THREADS = 8
DOUBTFUL_THREADS = THREADS // 2
# Of one subscription, over all processes.
PER_SUBSCRIPTION = 4
# Resolving, connecting and waiting for an answer take half of it at most.
LEASE_SECONDS = 60
# After a call that the store refused or did not answer.
TROUBLED_SECONDS = 2.0


class Courier:
    """Thread-safe; its threads start with `start` or `run_until_idle`, after fork."""

    def __init__(self, services: Services, is_stopping: Callable[[], bool]) -> None:
        self._services = services
        self._is_stopping = is_stopping
        self._changed = threading.Condition()
        self._running = 0
        self._doubtful = 0
        self._is_woken = False
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="courier")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on looks by itself."""
        self._thread = threading.Thread(target=self._work, args=(None,), name="courier", daemon=True)
        self._thread.start()

    def look_soon(self) -> None:
        """Something was committed that subscribers may want to hear of."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def run_until_idle(self, budget_seconds: float) -> None:
        """Delivers until nothing is due, within the budget (an attempt under way is waited for). Raises nothing: what
        the store refuses waits for the next run."""
        self._work(time.monotonic() + budget_seconds)
        self._pool.shutdown()

    def shut_down(self, timeout_seconds: float = 0.0) -> None:
        """What is under way ends by its own deadline, and is waited for that long."""
        deadline = time.monotonic() + timeout_seconds
        self.look_soon()
        if self._thread:
            # It may be claiming just now, and sends that.
            self._thread.join(timeout_seconds)
        self._pool.shutdown(wait=False)
        with self._changed:
            self._changed.wait_for(lambda: not self._running, max(0.0, deadline - time.monotonic()))

    def _work(self, until: float | None) -> None:
        """`until`: also ends when nothing is due any more."""
        while not self._is_stopping() and (until is None or time.monotonic() < until):
            pause = self._look()
            with self._changed:
                # What ended since the look may have let another one go.
                if until is not None and pause > 0 and not self._running and not self._is_woken:
                    return
                if not self._is_woken:
                    self._changed.wait(pause)
                self._is_woken = False

    def _look(self) -> float:
        """Claims what there is room for; seconds until the next look, unless something ends before."""
        pause = self._services.settings.sweep_seconds
        with self._changed:
            room, doubtful_room = THREADS - self._running, DOUBTFUL_THREADS - self._doubtful
        if room <= 0:
            return pause
        try:
            claimed = self._claim(room, doubtful_room)
        except SyncError as failure:
            self._services.operator_faults.tell("courier_failed", failure)
            return TROUBLED_SECONDS
        except Exception as bug:
            self._services.log.exception("courier_bug", error=type(bug).__name__)
            return TROUBLED_SECONDS
        with self._changed:
            self._running += len(claimed)
            self._doubtful += sum(delivery.is_doubtful for delivery in claimed)
        for delivery in claimed:
            try:
                self._pool.submit(self._deliver, delivery)
            except RuntimeError:
                # Shut down since: the lease runs out, and another process sends it.
                break
        return 0.0 if claimed else pause * (0.75 + self._services.jitter() / 2)

    def _claim(self, room: int, doubtful_room: int) -> list[Delivery]:
        return self._services.store.deliveries.claim(
            room,
            doubtful_limit=max(0, doubtful_room),
            per_subscription=PER_SUBSCRIPTION,
            lease_seconds=LEASE_SECONDS,
            slow_ms=SLOW_MS,
            most_tries=len(DELAYS_SECONDS),
        )

    def _deliver(self, delivery: Delivery) -> None:
        try:
            deliver(self._services, delivery)
        except SyncError as failure:
            self._services.operator_faults.tell("event_not_recorded", failure)
        except Exception as bug:
            self._services.log.exception("delivery_bug", error=type(bug).__name__)
        finally:
            with self._changed:
                self._running -= 1
                self._doubtful -= delivery.is_doubtful
                # The next one of its meeting may be sent now.
                self._is_woken = True
                self._changed.notify_all()


def deliver_due(services: Services, *, budget_seconds: float, should_stop: Callable[[], bool] = lambda: False) -> None:
    """What the polling cron does in a project that no process drives."""
    Courier(services, should_stop).run_until_idle(budget_seconds)
