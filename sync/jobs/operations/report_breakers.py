"""Says in the log and in the store which upstreams do not answer this process, when that begins and when it ends.

A process whose upstreams all answer says nothing. What cannot be said, since the database is the one that is down, is
said once it is back. Called by the duties, in each process.
"""

from __future__ import annotations

from sync.clients.circuit import Reading
from sync.errors import StoreUnavailable
from sync.jobs.services import Services
from sync.states import CircuitState


class BreakerReports:
    """One per process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._logged: dict[str, tuple[int, bool]] = {}
        self._stored: dict[str, tuple[int, bool]] = {}

    def report(self) -> None:
        """Raises StoreRejected."""
        readings = [reading for reading in self._services.breakers.read() if reading.opened]
        for reading in readings:
            if self._logged.get(reading.upstream) != _sign(reading):
                self._logged[reading.upstream] = _sign(reading)
                self._tell(reading)
        changed = [reading for reading in readings if self._stored.get(reading.upstream) != _sign(reading)]
        if not changed:
            return
        try:
            self._services.store.breakers.report(self._services.worker_name, changed)
        except StoreUnavailable:
            return
        self._stored |= {reading.upstream: _sign(reading) for reading in changed}

    def _tell(self, reading: Reading) -> None:
        if reading.state is CircuitState.CLOSED:
            self._services.log.warning("upstream_back", upstream=reading.upstream, calls_spared=reading.refused)
        else:
            self._services.log.warning("upstream_down", upstream=reading.upstream, error_code=reading.error_code)


def _sign(reading: Reading) -> tuple[int, bool]:
    return reading.opened, reading.state is CircuitState.CLOSED
