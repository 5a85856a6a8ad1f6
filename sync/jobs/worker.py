"""The continuous worker: the jobs of the cron endpoints, all the time. `python -m sync.jobs.worker`; any number of
them.

SIGTERM or SIGINT: takes nothing new, gives unfinished claims back between two pages, and leaves.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import schedule

from sync.errors import SyncError
from sync.jobs.accounts.disconnect import finish_disconnects
from sync.jobs.accounts.mail_users import mail_users
from sync.jobs.driving.poll_due import poll_due
from sync.jobs.operations.retention import drop_old
from sync.jobs.services import Services, build_services
from sync.jobs.syncing.audit_drift import audit_drift
from sync.jobs.syncing.hide_private import hide_private
from sync.jobs.syncing.roll_horizon import roll_horizons
from sync.jobs.watching.renew_watches import renew_watches
from sync.logs import configure_logs
from sync.settings import SettingsError, load

# How soon a due calendar is noticed when no webhook process took the hint. One call to the store when nothing is due.
SWEEP_SECONDS = 2
# Watches are renewed days before they lapse; minutes are soon enough for new and failed ones.
RENEW_SECONDS = 60
# Horizons lag by hours before they are moved; all that lag are moved at once.
ROLL_SECONDS = 600
# One calendar per worker: a steady trickle of full listings that no quota notices.
AUDIT_SECONDS = 600
# Often enough to be seen as alive, whatever else runs; asks only when the last word is older than its time.
DECLARE_SECONDS = 5
# What is kept for months is nobody's hurry to drop; hourly, there is never much of it.
DROP_SECONDS = 3600
# A sweep of the worker ends only to let other jobs run.
SWEEP_BUDGET_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Job:
    """What the worker does every so often; `at_start`: also before anything else."""

    name: str
    every_seconds: int
    work: Callable[[], object]
    at_start: bool = False


def _jobs(services: Services, should_stop: Callable[[], bool]) -> list[_Job]:
    budget = SWEEP_BUDGET_SECONDS

    def sweep() -> object:
        return poll_due(
            services, budget_seconds=budget, should_stop=should_stop, count=False, ask_again_seconds=SWEEP_SECONDS
        )

    return [
        _Job("declare_settings", DECLARE_SECONDS, services.in_force.now, at_start=True),
        _Job("poll_due", SWEEP_SECONDS, sweep, at_start=True),
        _Job(
            "renew_watches",
            RENEW_SECONDS,
            lambda: renew_watches(services, budget_seconds=budget, should_stop=should_stop),
            at_start=True,
        ),
        _Job("hide_private", RENEW_SECONDS, lambda: hide_private(services, should_stop), at_start=True),
        _Job("mail_users", RENEW_SECONDS, lambda: mail_users(services, should_stop)),
        _Job("finish_disconnects", RENEW_SECONDS, lambda: finish_disconnects(services)),
        _Job(
            "roll_horizons",
            ROLL_SECONDS,
            lambda: roll_horizons(services, budget_seconds=budget, should_stop=should_stop),
            at_start=True,
        ),
        _Job(
            "drop_old",
            DROP_SECONDS,
            lambda: drop_old(services, budget_seconds=budget, should_stop=should_stop),
        ),
        _Job("audit_drift", AUDIT_SECONDS, lambda: audit_drift(services, limit=1, should_stop=should_stop)),
    ]


def run(services: Services, stopping: threading.Event) -> None:
    """Works until `stopping` is set."""
    scheduler = schedule.Scheduler()
    services.log.info("worker_started", worker=services.worker_name)
    for job in _jobs(services, stopping.is_set):
        scheduler.every(job.every_seconds).seconds.do(_guarded, services, job, stopping)
        if job.at_start:
            _guarded(services, job, stopping)
    while not stopping.wait(max(0.0, min(scheduler.idle_seconds or 0.0, 1.0))):
        scheduler.run_pending()
    services.log.info("worker_stopped", worker=services.worker_name)


def _guarded(services: Services, job: _Job, stopping: threading.Event) -> None:
    if stopping.is_set():
        return
    try:
        job.work()
    except SyncError as failure:
        services.log.warning("job_failed", job=job.name, error_code=failure.code)
    except Exception as bug:
        services.log.exception("job_bug", job=job.name, error=type(bug).__name__)


def main() -> int:
    """Exit code 2: the configuration has problems (all of them are printed)."""
    try:
        settings = load()
    except SettingsError as problems:
        print(problems, file=sys.stderr)  # noqa: T201 - before there is a log
        return 2
    configure_logs(settings.log_level)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    run(build_services(settings), stopping)
    return 0


if __name__ == "__main__":
    sys.exit(main())
