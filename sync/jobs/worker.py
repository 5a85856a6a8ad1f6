"""The continuous worker: a driver without a web service. `python -m sync.jobs.worker`; any number of them.

SIGTERM or SIGINT: takes nothing new, gives unfinished claims back between two pages, and leaves; within 8 s, whatever
hangs.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

import structlog

from sync.jobs.driving.driver import Driver
from sync.jobs.driving.duties import duties
from sync.jobs.driving.interpreter import share_interpreter
from sync.jobs.driving.leaving import Leaving
from sync.jobs.operations.figures import StoreFigures
from sync.jobs.operations.tell_alerts import check_destinations
from sync.jobs.services import Services, build_services
from sync.logs import configure_logs, take_over_process
from sync.settings import Settings, SettingsError, load, log_settings
from sync.telemetry.exposition import exposition
from sync.telemetry.port import open_port
from sync.telemetry.traces import configure_traces
from sync.version import VERSION

# A signal is looked for this often; its handler may wake nobody who holds a lock.
LOOK_SECONDS = 0.25


def run(services: Services, driver: Driver, leaving: Leaving) -> None:
    """Works until it is told to leave."""
    services.log.info("worker_started", worker=services.worker_name)
    driver.start(duties(services, lambda: driver.is_stopping, at_start=True))
    while not leaving.await_asked(LOOK_SECONDS):
        pass
    services.log.info("worker_stopping", worker=services.worker_name)
    leaving.close()
    services.log.info("worker_stopped", worker=services.worker_name)


def _answer_prometheus(services: Services) -> None:
    """A port that somebody else has costs the figures, not the work."""
    settings = services.settings
    if settings.metrics_port is None or settings.metrics_token is None:
        return
    figures = StoreFigures(services.store)
    try:
        open_port(settings.metrics_host, settings.metrics_port, settings.metrics_token, lambda: exposition(figures))
    except OSError as taken:
        services.log.error("metrics_port_not_opened", port=settings.metrics_port, error=type(taken).__name__)  # noqa: TRY400


def main(build: Callable[[Settings], Services] = build_services) -> int:
    """Exit code 2: the configuration has problems (all of them are told)."""
    configure_logs(*log_settings())
    take_over_process()
    try:
        settings = load()
        configure_logs(settings.log_level, settings.log_format)
        services = build(settings)
        check_destinations(services)
    except SettingsError as bad:
        structlog.get_logger("sync").error("settings_refused", problems=bad.problems)
        return 2
    driver = Driver(services)
    leaving = Leaving(services, driver, (configure_traces(version=VERSION),))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        leaving.soon()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    leaving.watch()
    _answer_prometheus(services)
    share_interpreter()
    run(services, driver, leaving)
    return 0


if __name__ == "__main__":
    sys.exit(main())
