"""Whether this is the database that the code needs, set up as it must be. SQL: schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync.clients.store.catalogue import FUNCTIONS, TABLES
from sync.clients.store.refusals import MIGRATIONS_BEHIND
from sync.clients.store.rpc import Rpc
from sync.errors import StoreMisconfigured


class SchemaCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def version(self) -> int:
        """Of the newest migration, asked for once: for probes. Raises StoreFailure; StoreMisconfigured
        `migrations_missing` if there are none at all."""
        try:
            return int(self._rpc.once("calendar_schema_version", {}))
        except StoreMisconfigured as refused:
            if refused.code != MIGRATIONS_BEHIND or self._has_any():
                raise
            raise StoreMisconfigured("migrations_missing", refused.detail) from None

    def inspect(self) -> dict[str, Any]:
        """What is not as the migrations left it: see `inspect_calendar_schema` in docs/sql.md. Raises StoreFailure."""
        found: dict[str, Any] = self._rpc.call("inspect_calendar_schema", p_tables=TABLES, p_functions=FUNCTIONS)
        return found

    def examine(self, lapsing_seconds: float, oauth_client: str, scopes: Sequence[str]) -> dict[str, Any]:
        """What the doctor asks of connections, keys, channels and refusals: see `examine_service` in docs/sql.md.
        Raises StoreFailure."""
        found: dict[str, Any] = self._rpc.call(
            "examine_service", p_lapsing_seconds=lapsing_seconds, p_oauth_client=oauth_client, p_scopes=list(scopes)
        )
        return found

    def _has_any(self) -> bool:
        """Whether what the first migrations bring is there."""
        try:
            self._rpc.once("sweep_state", {"p_stale_hours": 0})
        except StoreMisconfigured as refused:
            return refused.code != MIGRATIONS_BEHIND
        return True
