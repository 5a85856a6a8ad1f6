"""Whether this process can do its work: the store answers, by its key, and has the migrations that this code needs.

Called by /readyz and by `doctor`.
"""

from __future__ import annotations

from sync.errors import StoreFailure, StoreMisconfigured
from sync.jobs.operations.observe import NEWEST_MIGRATION
from sync.jobs.services import Services

# What an answer disproves. Not missing grants, which are of other functions.
_DISPROVED = ("database_key_refused", "database_key_not_secret", "migrations_missing", "migrations_behind")


def why_not_ready(services: Services) -> StoreFailure | None:
    """None: it can. One call. A database that is newer than the code is none of its concern: its files only add."""
    try:
        version = services.store.schema.version()
        if version < int(NEWEST_MIGRATION):
            detail = f"the database is at {version}, this version needs {NEWEST_MIGRATION}"
            services.operator_faults.note("migrations_behind", detail)
            raise StoreMisconfigured("migrations_behind", detail)
    except StoreFailure as failure:
        return failure
    services.operator_faults.forget(_DISPROVED)
    return None
