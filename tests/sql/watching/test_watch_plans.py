"""With two hundred thousand calendars, asking which watches are due reads those that are due, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.stack import migrate
from tests.sql.conftest import Scratch
from tests.sql.database import Database

CALENDARS = 200_000
HOOK = "https://host/hook"
CROWD = f"""
set session_replication_role = replica; -- no foreign key checks: half of the time
insert into auth.users (id, email)
select md5(n::text)::uuid, n || '@example.com' from generate_series(1, {CALENDARS}) n;
insert into calendar_webhooks (id, user_id, google_calendar_id, webhook_id, expiration_time, last_synced_at)
select id, id, 'primary', 'live-' || id, now() + interval '2 days' + random() * interval '5 days', now()
from auth.users;
insert into calendar_channels (id, calendar_id, user_id, resource_id, address, state, expires_at, opened_at)
select 'live-' || id, id, id, 'resource', '{HOOK}', 'live', now() + interval '5 days', now() from auth.users;
"""
# Buffers, not milliseconds: what a busy machine cannot blur. Reading every calendar takes thousands.
MOST_BUFFERS = 400
NOTHING_DUE = {
    "claim_expiring_watches": "select * from public.claim_expiring_watches(50, 120)",
    "watches_due": "select public.watches_due()",
    "renew_moved_watches": f"select public.renew_moved_watches(array['{HOOK}'], 0, 500)",
    "retire_lost_calendars": "select public.retire_lost_calendars(604800, 20)",
}


@pytest.fixture(scope="module")
def crowd(scratch: Scratch) -> Iterator[Database]:
    admin_url, owner_url = scratch.create()
    migrate.apply(owner_url)
    db = Database(admin_url, owner_url)
    db.admin.execute(CROWD.encode())
    db.admin.execute("reset session_replication_role")
    # Triggers slept meanwhile.
    db.admin.execute("update calendar_webhooks set expiration_time = expiration_time")
    db.admin.execute("vacuum analyze")
    yield db
    db.close()


def explain(db: Database, statement: str) -> dict[str, Any]:
    with db.service.transaction(force_rollback=True):
        row = db.service.execute(f"explain (analyze, buffers, format json) {statement}".encode()).fetchone()
    assert row is not None
    found: dict[str, Any] = row["QUERY PLAN"][0]
    return found


@pytest.mark.parametrize("function", NOTHING_DUE)
def test_asking_when_nothing_is_due_reads_almost_nothing(crowd: Database, function: str) -> None:
    explain(crowd, NOTHING_DUE[function])
    found = explain(crowd, NOTHING_DUE[function])
    print(f"{function}: {found['Execution Time']:.1f} ms")  # noqa: T201 - shown when it fails
    assert found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"] <= MOST_BUFFERS
