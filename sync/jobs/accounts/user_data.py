"""All that is stored of one user: given out, or erased. By hand:

    python -m sync.jobs.accounts.user_data export USER_ID    # JSON of all their rows, without tokens
    python -m sync.jobs.accounts.user_data erase USER_ID     # channels, grant and rows, all gone

Erasing leaves the row in auth.users, which is Supabase Auth's; erase before you delete it there, for afterwards nobody
holds the tokens that stop channels and revoke the grant.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sync.errors import SyncError
from sync.jobs.accounts.disconnect import disconnect
from sync.jobs.services import Services, build_services
from sync.logs import configure_logs
from sync.settings import SettingsError, load

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


def export_user(services: Services, user_id: str) -> dict[str, list[dict[str, Any]]]:
    """{table: rows}. Raises StoreFailure."""
    return {table: _rows(services, user_id, table) for table in TABLES}


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints JSON. Exit code 2: it could not be done."""
    parser = argparse.ArgumentParser(prog="scripts/user_data", description="Give out or erase all rows of a user.")
    parser.add_argument("action", choices=("export", "erase"))
    parser.add_argument("user_id", type=uuid.UUID, metavar="USER_ID", help="the user's id in auth.users")
    given = parser.parse_args(arguments)
    try:
        settings = load()
    except SettingsError as problems:
        print(problems, file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    configure_logs(settings.log_level, settings.log_format)
    act = export_user if given.action == "export" else erase_user
    try:
        answer = act(build_services(settings), str(given.user_id))
    except SyncError as failure:
        print(f"not done, try again: {failure.code}", file=sys.stderr)  # noqa: T201
        return 2
    print(json.dumps(answer, indent=2, ensure_ascii=False))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
