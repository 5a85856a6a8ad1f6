"""The regions through which notifications come. SQL: ingress."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sync.clients.store.rpc import Rpc


class RegionCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def read(self) -> list[Mapping[str, Any]]:
        """The rows of `ingress_regions`."""
        return list(self._rpc.rows("read_ingress"))

    def report(self, counts: Sequence[Mapping[str, Any]]) -> None:
        """Adds what this process has counted, by address."""
        self._rpc.call("report_ingress", p_counts=list(counts))

    def record(self, regions: Sequence[Mapping[str, Any]]) -> None:
        """What was judged of all regions that there are; others are forgotten."""
        self._rpc.call("record_ingress", p_regions=list(regions))

    def sample(self, start: str, *, limit: int, now: dt.datetime) -> int:
        """How many calendars were seen, from this id on."""
        return int(self._rpc.call("sample_ingress", p_from=start, p_limit=limit, p_now=now.isoformat()))

    def look_through(self, address: str, *, limit: int) -> int:
        """How many of its calendars are due now, that they may tell whether its door is shut."""
        return int(self._rpc.call("look_through_region", p_address=address, p_limit=limit))
