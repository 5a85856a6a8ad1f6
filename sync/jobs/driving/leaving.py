"""The end of a process: soon after it was told to end, whatever hangs, and with nothing kept from the others.

What runs has WORK_SECONDS to end by itself; what has not by then is given back, so that another process takes it up at
once (a late commit of it is refused), and the process ends without it. What waits for an answer from outside that only
this process could tell (a push channel, a bot, a message to a subscriber) keeps its lease until that runs out: repeated
at once it might be there twice. Called by gunicorn's hooks and by the worker.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services

# The hosts that ask soonest give 10 s from SIGTERM to a kill. A page of a listing takes Google a fraction of it.
WORK_SECONDS = 6.0
# For a few calls of the store, which may be what hangs.
CLOSE_SECONDS = 2.0


class Leaving:
    """One per process. `closings`: what is to be stored or sent at the end."""

    def __init__(self, services: Services, driver: Driver, closings: Sequence[Callable[[], None]] = ()) -> None:
        self._services = services
        self._driver = driver
        self._closings = tuple(closings)
        # Its `put` is good in a signal handler, which may interrupt whoever holds an ordinary lock.
        self._asked: SimpleQueue[float] = SimpleQueue()
        self._deadline: float | None = None
        self._closing = threading.Lock()
        self._is_closed = False

    def soon(self) -> None:
        """In a signal handler: nothing new is taken."""
        self._driver.stop_soon()
        self._deadline = self._deadline or time.monotonic() + WORK_SECONDS
        self._asked.put(self._deadline)

    def await_asked(self, timeout_seconds: float) -> bool:
        """Whether `soon` was called."""
        if self._deadline is None:
            time.sleep(timeout_seconds)
        return self._deadline is not None

    def watch(self) -> None:
        """In a web worker, after its fork: whoever is told to end has ended in time, its main thread or not."""
        threading.Thread(target=self._end_in_time, name="leaving", daemon=True).start()

    def close(self) -> None:
        """Lets what runs end, gives back what does not, stores and sends what was kept for the end. Once."""
        deadline = self._deadline or time.monotonic() + WORK_SECONDS
        self._driver.shut_down(max(0.0, deadline - time.monotonic()))
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            given_back = self._services.leases.give_back()
            if given_back:
                self._services.log.warning("given_back_at_the_end", leases=given_back)
            for closing in self._closings:
                closing()

    def end_now(self) -> None:
        """Ends the process, whatever its threads are at."""
        closing = threading.Thread(target=self._close_all, name="closing", daemon=True)
        closing.start()
        closing.join(max(0.0, (self._deadline or 0.0) - time.monotonic()) + CLOSE_SECONDS)
        os._exit(0)

    def _close_all(self) -> None:
        self.close()
        # Here too, for the log may be what hangs: then whoever was writing holds its lock.
        logging.shutdown()

    def _end_in_time(self) -> None:
        deadline = self._asked.get()
        # Most end before: this thread dies with its process.
        time.sleep(max(0.0, deadline - time.monotonic()))
        self.end_now()
