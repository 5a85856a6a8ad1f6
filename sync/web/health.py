"""GET /healthz: the process lives. GET /readyz: it can do its work (the store answers), and `misconfigured` names what
only the operator can mend, and `down` which upstream answers nobody just now (notifications are still taken meanwhile,
so the process stays ready).

Anybody may ask, and probes are never throttled; so the store is asked by one probe at a time, and once a second.
"""

from __future__ import annotations

import threading
import time

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.jobs.services import Services
from sync.version import VERSION
from sync.web.doors.problems import Problem

blueprint = Blueprint("health", __name__)

# Below any platform's probe interval.
READY_SECONDS = 1.0


class _Readiness:
    """The store's last answer to a probe. One per process."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._is_ready = False
        self._ready_until = 0.0

    def is_ready(self, services: Services) -> bool:
        if time.monotonic() < self._ready_until or not self._asking.acquire(blocking=False):
            return self._is_ready
        try:
            self._is_ready = services.store.is_reachable()
            self._ready_until = time.monotonic() + READY_SECONDS if self._is_ready else 0.0
            return self._is_ready
        finally:
            self._asking.release()


@blueprint.get("/healthz")
def alive() -> ResponseReturnValue:
    return jsonify(status="ok", version=VERSION)


@blueprint.get("/readyz")
def ready() -> ResponseReturnValue:
    services: Services = current_app.extensions["services"]
    readiness: _Readiness = current_app.extensions.setdefault("readiness", _Readiness())
    if not readiness.is_ready(services):
        raise Problem(503, "store_unavailable", "The database does not answer.", {"Retry-After": "5"})
    told = {"misconfigured": services.operator_faults.current(), "down": services.breakers.down()}
    return jsonify(status="ready", **{name: words for name, words in told.items() if words})
