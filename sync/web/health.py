"""GET /healthz: the process lives. GET /readyz: it can do its work (the store answers, by
its key, with the migrations that this code needs), and `misconfigured` names what
only the operator can mend, and `down` which upstream answers nobody just now (notifications are still taken meanwhile,
so the process stays ready).

Anybody may ask, and probes are never throttled; so the store is asked by one probe at a time, and once a second.
"""

from __future__ import annotations

import threading
import time

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.errors import StoreFailure, StoreUnavailable
from sync.jobs.operations.readiness import why_not_ready
from sync.jobs.services import Services
from sync.version import VERSION

blueprint = Blueprint("health", __name__)

# Below any platform's probe interval.
READY_SECONDS = 1.0


class _Readiness:
    """The store's last answer to a probe. One per process."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._why_not: StoreFailure | None = StoreUnavailable("not_asked_yet")
        self._ready_until = 0.0

    def why_not(self, services: Services) -> StoreFailure | None:
        """None: it is ready."""
        if time.monotonic() < self._ready_until or not self._asking.acquire(blocking=False):
            return self._why_not
        try:
            self._why_not = why_not_ready(services)
            self._ready_until = time.monotonic() + READY_SECONDS if self._why_not is None else 0.0
            return self._why_not
        finally:
            self._asking.release()


@blueprint.get("/healthz")
def alive() -> ResponseReturnValue:
    return jsonify(status="ok", version=VERSION)


@blueprint.get("/readyz")
def ready() -> ResponseReturnValue:
    services: Services = current_app.extensions["services"]
    readiness: _Readiness = current_app.extensions.setdefault("readiness", _Readiness())
    why_not = readiness.why_not(services)
    if why_not is not None:
        # As every route would answer it: the database is down, its key is refused, migrations or grants are missing.
        raise why_not
    told = {"misconfigured": services.operator_faults.current(), "down": services.breakers.down()}
    return jsonify(status="ready", **{name: words for name, words in told.items() if words})
