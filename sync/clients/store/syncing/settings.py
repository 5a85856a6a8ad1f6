"""The settings in force. SQL: settings."""

from __future__ import annotations

import dataclasses

from sync.clients.store.rpc import Rpc
from sync.model import InForce, Meaning


class SettingsCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def declare(self, worker: str, meaning: Meaning) -> InForce:
        """Says what this process is configured to mean; answers what is in force."""
        row = self._rpc.rows("declare_settings", p_worker=worker, p_meaning=dataclasses.asdict(meaning))[0]
        names = [field.name for field in dataclasses.fields(Meaning)]
        return InForce(row["generation"], Meaning(**{name: row["meaning"][name] for name in names}))
