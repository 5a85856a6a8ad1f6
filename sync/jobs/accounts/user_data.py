"""All that is stored of one user: given out, or erased. Called by the cli.

Erasing leaves the row in auth.users, which is Supabase Auth's; erase before you delete it there, for afterwards nobody
holds the tokens that stop channels and revoke the grant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sync.jobs.accounts.disconnect import disconnect
from sync.jobs.services import Services

# Every table that has rows of users.
TABLES = (
    "google_credentials",
    "calendar_webhooks",
    "calendar_channels",
    "calendar_events",
    "meetings",
    "calendar_sync_logs",
    "user_notifications",
    "bot_preferences",
    "oauth_flows",
    "change_events",
)
# A page of events is a few megabytes at most.
ROWS_PER_PAGE = 500


def export_user(
    services: Services, user_id: str, on_table: Callable[[int, str], None] = lambda _done, _table: None
) -> dict[str, list[dict[str, Any]]]:
    """{table: rows}, tokens left out. `on_table` hears before each table how many are done. Raises StoreFailure."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for table in TABLES:
        on_table(len(rows), table)
        rows[table] = _rows(services, user_id, table)
    return rows


def erase_user(services: Services, user_id: str) -> dict[str, Any]:
    """What was done at Google, and the rows deleted by table. May be repeated. Raises StoreFailure."""
    left = disconnect(services, user_id, "delete")
    return {"google": asdict(left), "deleted": services.store.accounts.erase_user(user_id)}


def _rows(services: Services, user_id: str, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page, after = services.store.accounts.export_user(user_id, table, after, ROWS_PER_PAGE)
        rows.extend(page)
    return rows
