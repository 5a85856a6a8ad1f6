"""The service's processes with a clock that is off: the same code, told another time. Started by field.py.

CHAOS_CLOCK_OFF_SECONDS=-200 gunicorn -c gunicorn.conf.py "tests.chaos.off_clock:create_app()"
CHAOS_CLOCK_OFF_SECONDS=300 python -m tests.chaos.off_clock
"""

from __future__ import annotations

import datetime as dt
import os
import sys

from flask import Flask

import app
from sync.jobs import worker
from sync.jobs.services import Services, build_services, utc_now
from sync.settings import Settings, load

OFF_SECONDS = "CHAOS_CLOCK_OFF_SECONDS"


def create_app() -> Flask:
    settings = load()
    return app.create_app(settings, _services(settings))


def _services(settings: Settings) -> Services:
    off = dt.timedelta(seconds=float(os.environ.get(OFF_SECONDS, "0")))
    return build_services(settings, lambda: utc_now() + off)


if __name__ == "__main__":
    sys.exit(worker.main(_services))
