"""gunicorn -c gunicorn.conf.py "app:create_app()" """

import os
import signal
from typing import Any

from sync.telemetry import processes
from sync.web.doors import sharing

bind = f"0.0.0.0:{os.environ.get('PORT', '8080')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# gthread, whose threads wait for no client; deadlines and shares are there.
worker_class = "sync.web.doors.patient_worker.PatientWorker"
# A cron call and a slow poll each hold a thread for up to a minute; notifications must still find one.
threads = 16
# Never preload: clients and threads must be made after the fork.
preload_app = False
# gthread workers beat on their own; this only ends one that hangs altogether.
timeout = 120
# A worker ends within 8 s by itself (`sync/jobs/driving/leaving.py`); this ends one that hangs altogether.
graceful_timeout = 9
keepalive = 75
# Google sends a dozen headers; a Supabase JWT has 1 to 2 KB. Bodies are limited in app.py.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
# At once, per process. A full house lets those go that wait longest for their client; each holds 192 KiB at most.
worker_connections = 512
# The application tells of each request; these are lines like its own.
logger_class = "sync.web.doors.server_log.ServerLog"
accesslog = None
# gunicorn would put a control socket into HOME, which may not exist or may be read-only.
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """The workers' figures are summed from files; a fresh directory for each master. So is what they share."""
    processes.begin()
    sharing.begin()


def pre_fork(_server: Any, worker: Any) -> None:
    worker.slot = processes.give_slot()


def post_fork(_server: Any, worker: Any) -> None:
    processes.take_slot(worker.slot)


def child_exit(_server: Any, worker: Any) -> None:
    processes.free_slot(worker.slot)
    sharing.end_of(worker.slot)


def on_exit(_server: Any) -> None:
    processes.end()


def post_worker_init(worker: Any) -> None:
    """Each process drives syncing itself, from its start on, beside its requests. On SIGTERM a sync under way gives its
    claim back at once, instead of holding it until it is killed."""
    from sync.jobs.driving.duties import duties
    from sync.jobs.driving.interpreter import share_interpreter

    share_interpreter()
    services, driver, leaving = (worker.wsgi.extensions[name] for name in ("services", "driver", "leaving"))
    driver.start(duties(services, lambda: driver.is_stopping, at_start=False))
    leaving.watch()
    stop = signal.getsignal(signal.SIGTERM)

    def stop_soon(number: int, frame: Any) -> None:
        leaving.soon()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, stop_soon)


def worker_exit(_server: Any, worker: Any) -> None:
    """Requests have ended; threads that sync may not have, and could begin nothing any more once the interpreter
    ends."""
    served = getattr(worker, "wsgi", None)
    if served is not None:
        served.extensions["leaving"].close()
