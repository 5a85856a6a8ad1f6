"""What processes say of their upstreams: the calls of `service_breakers`. Called by `jobs/operations`."""

from __future__ import annotations

from collections.abc import Sequence

from sync.clients.circuit import Reading
from sync.clients.store.rpc import Rpc
from sync.states import CircuitState


class BreakerCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def report(self, worker_name: str, readings: Sequence[Reading]) -> None:
        """Raises StoreFailure."""
        self._rpc.call(
            "report_breakers",
            p_worker=worker_name,
            p_breakers=[
                {
                    "upstream": reading.upstream,
                    "state": CircuitState.CLOSED if reading.state is CircuitState.CLOSED else CircuitState.OPEN,
                    "since": reading.since.isoformat(),
                    "error_code": reading.error_code,
                    "times_opened": reading.opened,
                }
                for reading in readings
            ],
        )
