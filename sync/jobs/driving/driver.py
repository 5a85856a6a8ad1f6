"""Drives the syncing of one process: claims what is due as its lanes have room, and does its share of the duties.

Every process that serves or works has one. A notification's hint only makes it look at once; whatever it loses (a
crash, a refused call) is due in the store, and the next look of any process finds it. Called by the webhook, by
connecting, by the cron and by the worker.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sync.clients.breakers import GOOGLE_API
from sync.errors import SyncError
from sync.jobs.driving.after_outage import AfterOutage
from sync.jobs.driving.duties import Duty
from sync.jobs.driving.executor import Executor, Task
from sync.jobs.driving.lanes import Lanes
from sync.jobs.driving.timekeeper import Timekeeper
from sync.jobs.events.courier import Courier
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import SyncOutcome, sync_claim
from sync.jobs.watching.renew_watches import open_watches, stop_channels
from sync.model import Claim
from sync.states import SyncStatus
from sync.telemetry.origin import NOBODY, Origin, carried, here, under

# The store's clock decides when a calendar is due; a hint that fires early would find nothing and be lost.
EARLY_MARGIN_SECONDS = 0.05
CAPACITY = 10_000
# After a call that the store refused or did not answer.
TROUBLED_SECONDS = 1.0
# After a claim that did not find what was hinted.
MISSED_SECONDS, MISSED_TIMES = 0.15, 5


class Driver:
    """One per process, after fork. Threads start with the first hint, or with `start`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lanes = Lanes(services.settings.sync_threads)
        self._tasks = Executor(2)
        self._hints: dict[str, float] = {}
        self._missed: dict[str, int] = {}
        # What asked for the calendars that are hinted, to be told by their syncs.
        self._asked: dict[str, Origin] = {}
        self._condition = threading.Condition()
        self._stopping = False
        self._sweeps = False
        self._look_at = 0.0
        # Until when the dispatcher waits by itself.
        self._wakes_at = 0.0
        self._full: set[str] = set()
        self._has_left_full = False
        self._thread: threading.Thread | None = None
        # Room for long syncs beside the others.
        self._pool = ThreadPoolExecutor(
            services.settings.sync_threads + self._lanes.most_long + 1, thread_name_prefix="sync"
        )
        self._timekeeper: Timekeeper | None = None
        self._courier: Courier | None = None
        self._after_outage = AfterOutage(services, lambda spread: self.run_later("after_outage", spread, 0.0))

    def start(self, duties: Sequence[Duty] = ()) -> None:
        """From now on also looks by itself for what is due, at once and every few seconds, and does the duties."""
        with self._condition:
            self._sweeps = True
            self._start()
        if duties:
            self._timekeeper = Timekeeper(self._services, duties, lambda: self._stopping)
            self._timekeeper.start()
            self._courier = Courier(self._services, lambda: self._stopping)
            self._courier.start()

    def sync_soon(self, calendar_id: str, delay_seconds: float = 0.0) -> None:
        """Syncs the calendar once it is due, which the store said is in `delay_seconds`."""
        when = time.monotonic() + (delay_seconds + EARLY_MARGIN_SECONDS if delay_seconds else 0.0)
        with self._condition:
            if self._stopping:
                return
            if calendar_id not in self._hints and len(self._hints) >= CAPACITY:
                self._services.log.warning("hint_dropped", calendar_id=calendar_id)
                return
            self._hints[calendar_id] = min(when, self._hints.get(calendar_id, when))
            self._asked[calendar_id] = here()
            # Waking it for what it will find by itself would cost each notification of a burst as much as the first.
            self._start(wakes=when < self._wakes_at)

    def follow_up(self, outcome: SyncOutcome) -> None:
        """What a sync leaves owing is done without the next cron: a notification that came meanwhile, a retry, and
        telling subscribers what it changed."""
        has_changed = outcome.created or outcome.updated or outcome.deleted or outcome.status is SyncStatus.FAILED
        if self._courier and has_changed:
            self._courier.look_soon()
        if outcome.status is SyncStatus.RELEASED:
            self.sync_soon(outcome.claim.calendar_id, outcome.again_in_seconds or 0.0)
        elif outcome.again_in_seconds is not None:
            self.sync_soon(outcome.claim.calendar_id, outcome.again_in_seconds)

    def stop_channel_soon(self, channel_id: str) -> None:
        """Stops a channel that spoke though it should be dead."""
        stop = carried(lambda: _none(stop_channels(self._services, [channel_id])))
        self.run_later(f"stop:{channel_id}", stop, 0.0)

    def renew_soon(self, calendar_id: str) -> None:
        """Opens the calendar's next channel, if one is due."""
        renew = carried(lambda: _none(open_watches(self._services, [calendar_id])))
        self.run_later(f"renew:{calendar_id}", renew, 0.0)

    def after_commit(self) -> None:
        """Something was committed that others follow: bots, events."""
        if self._timekeeper:
            self._timekeeper.after_commit()

    def run_later(self, key: str, task: Task, delay_seconds: float) -> bool:
        """Runs something else after a delay, once per key; one that fails is logged and forgotten."""
        return self._tasks.submit(key, lambda: self._guarded(task), delay_seconds)

    @property
    def is_stopping(self) -> bool:
        """Whether this process is to end: sweeps in requests stop too."""
        return self._stopping

    def stop_soon(self) -> None:
        """Takes nothing new; what runs gives its claim back at the next page. Only says so: a signal handler may
        interrupt a thread that holds the lock."""
        self._stopping = True
        self._tasks.stop_soon()

    def shut_down(self, timeout_seconds: float = 25.0) -> None:
        """Waits that long for what runs to end; what then still runs is left to itself."""
        deadline = time.monotonic() + timeout_seconds
        with self._condition:
            self._stopping = True
            self._hints.clear()
            self._condition.notify_all()
        if self._thread:
            # It may be claiming just now, and gives that back.
            self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._condition:
            while self._lanes.busy and time.monotonic() < deadline:
                self._condition.wait(max(0.0, deadline - time.monotonic()))
        self._tasks.stop(max(0.0, deadline - time.monotonic()))
        self._pool.shutdown(wait=False)
        if self._timekeeper:
            self._timekeeper.shut_down(max(0.0, deadline - time.monotonic()))
        if self._courier:
            self._courier.shut_down(max(0.0, deadline - time.monotonic()))

    # The dispatcher

    def _start(self, *, wakes: bool = True) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._dispatch, name="driver", daemon=True)
            self._thread.start()
        if wakes:
            self._condition.notify_all()

    def _dispatch(self) -> None:
        while True:
            with self._condition:
                hinted = self._await_work()
                if self._stopping:
                    return
                free, room = self._lanes.free(), self._lanes.room(time.monotonic())
                self._full = {lane for lane, places in room.items() if not places}
                self._has_left_full = False
            wanted, free = free, self._services.breakers.room(GOOGLE_API, free)
            if not free:
                # Google answers nobody: what is due stays due, unclaimed, until the next probe.
                self._put_off(hinted, self._services.breakers.wait_seconds(GOOGLE_API))
                continue
            try:
                claimed = self._claim(hinted, free, room)
            except SyncError as failure:
                self._services.operator_faults.tell("sweep_failed", failure)
                self._troubled(hinted)
            except Exception as bug:
                self._services.log.exception("sweep_bug", error=type(bug).__name__)
                self._troubled(hinted)
            else:
                if self._sweeps and free == wanted:
                    self._after_outage.looked()
                self._take(claimed)
                self._look_again(hinted, claimed)

    def _await_work(self) -> list[str]:
        """Waits until a hint's time or the next look has come, and there is room; the hinted calendars."""
        while not self._stopping:
            now = time.monotonic()
            if self._lanes.free():
                hinted = [calendar_id for calendar_id, when in self._hints.items() if when <= now]
                if hinted or (self._sweeps and now >= self._look_at):
                    # Without sweeps each is claimed by its name, and none is forgotten for want of room.
                    hinted = hinted if self._sweeps else hinted[: self._lanes.free()]
                    for calendar_id in hinted:
                        del self._hints[calendar_id]
                    return hinted
            times = [*self._hints.values(), *([self._look_at] if self._sweeps else [])]
            # A signal handler cannot notify: it is looked for every second.
            wait = min(1.0, max(0.0, min(times) - now)) if times and self._lanes.free() else 1.0
            self._wakes_at = now + wait
            self._condition.wait(wait)
        return []

    def _claim(self, hinted: list[str], free: int, room: dict[str, int]) -> list[Claim]:
        if self._sweeps:
            quota = self._services.quota
            claimed = self._services.leases.claim(free, room=quota.room(room), per_user=quota.per_user())
        else:
            claimed = self._services.leases.claim(min(free, len(hinted)), calendar_ids=hinted)
        self._services.quota.expect(claimed)
        return claimed

    def _troubled(self, hinted: list[str]) -> None:
        """The store did not answer: what was asked for is asked for again."""
        self._put_off(hinted, TROUBLED_SECONDS * (1 + random.random()))  # noqa: S311 - spreads load, guards nothing

    def _put_off(self, hinted: list[str], seconds: float) -> None:
        again = time.monotonic() + seconds
        with self._condition:
            self._look_at = again
            for calendar_id in hinted:
                self._hints.setdefault(calendar_id, again)

    def _look_again(self, hinted: list[str], claimed: list[Claim]) -> None:
        """A hinted calendar that was not claimed may have been locked just then: it is asked for a few times more."""
        found = {claim.calendar_id for claim in claimed}
        for calendar_id in hinted:
            times = self._missed.pop(calendar_id, 0) + 1
            if calendar_id in found:
                continue
            if times > MISSED_TIMES:
                self._asked.pop(calendar_id, None)
                continue
            self._missed[calendar_id] = times
            with self._condition:
                self._hints.setdefault(calendar_id, time.monotonic() + MISSED_SECONDS * 2**times)

    def _take(self, claimed: list[Claim]) -> None:
        """Starts what was claimed; looks again as soon as there is room, until nothing is found. Of a lane that was
        full nothing could be found: whoever leaves it is followed at once."""
        with self._condition:
            pause = self._services.settings.sweep_seconds * (0.75 + random.random() / 2)  # noqa: S311
            self._look_at = time.monotonic() + (0.0 if claimed or self._has_left_full else pause)
            for claim in claimed:
                self._lanes.enter(claim.lane)
        for claim in claimed:
            if self._stopping or not self._begin(claim):
                # It was claimed while the process was told to end, or ends untold.
                self._give_back(claim)

    def _begin(self, claim: Claim) -> bool:
        try:
            self._pool.submit(self._sync, claim, self._asked.pop(claim.calendar_id, NOBODY))
        except RuntimeError:
            # No thread begins any more: the interpreter is ending.
            return False
        return True

    def _give_back(self, claim: Claim) -> None:
        self._services.leases.drop(claim)
        with self._condition:
            self._lanes.leave(claim.lane)
        self._guarded(lambda: _none(self._services.store.claims.release(claim)))

    def _sync(self, claim: Claim, origin: Origin) -> None:
        with under(origin):
            self._sync_in_lane(claim)

    def _sync_in_lane(self, claim: Claim) -> None:
        lane = claim.lane

        def lengthen() -> None:
            nonlocal lane
            with self._condition:
                lane, left = self._lanes.lengthen(lane), lane
                if lane != left:
                    self._has_left(left)

        try:
            outcome = sync_claim(self._services, claim, should_stop=lambda: self._stopping, on_long=lengthen)
            self.follow_up(outcome)
            if outcome.created + outcome.updated + outcome.deleted:
                self.after_commit()
        except Exception as bug:
            self._services.log.exception("driver_bug", error=type(bug).__name__)
        finally:
            with self._condition:
                self._lanes.leave(lane)
                self._has_left(lane)

    def _has_left(self, lane: str) -> None:
        """There is room again, also while a claim is under way that did not know of it."""
        if lane in self._full:
            self._has_left_full = True
            self._look_at = 0.0
        self._condition.notify_all()

    def _guarded(self, task: Task) -> float | None:
        try:
            return task()
        except SyncError as failure:
            self._services.operator_faults.tell("task_failed", failure)
        except Exception as bug:
            self._services.log.exception("task_bug", error=type(bug).__name__)
        return None


def _none(_result: object) -> None:
    return None
