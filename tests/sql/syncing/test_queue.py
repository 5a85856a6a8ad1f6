"""calendar_queue says what calendar_webhooks says, whoever writes; what happens all the time writes no index there."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from tests.sql.database import Connection, Database, Row, call, facts, part

SAME = """
select w.id, w.due_at, w.not_before, w.lease_expires_at, w.claim_id, w.queue_lane as lane, q as queued
from calendar_webhooks w full join calendar_queue q on q.calendar_id = w.id
where (w.user_id, w.due_at, w.not_before, w.lease_expires_at, w.claim_id, w.queue_lane)
    is distinct from (q.user_id, q.due_at, q.not_before, q.leased_until, q.claim_id, q.lane)
  and (q is not null or w.queue_lane is not null)
"""
# What a calendar's place hangs on, and values that it may have.
VALUES = {
    "due_at": ("now()", "now() + interval '1 h'", "now() - interval '1 h'"),
    "due_reason": ("'imminent'", "'poll_interval'"),
    "not_before": ("null", "now()", "now() + interval '1 h'"),
    "lease_expires_at": ("null", "now() + interval '1 min'"),
    "claim_id": ("null", "gen_random_uuid()"),
    "claims_unended": ("0", "1", "2", "5"),
    "notifications_seen": ("notifications_synced", "notifications_synced + 1"),
    "notifications_synced": ("notifications_seen", "notifications_seen - 1"),
    "sync_token": ("null", "'t'"),
    "is_active": ("true", "false"),
    "paused_reason": ("null", "'needs_reauth'"),
}


def lane(db: Database, calendar: Row) -> str | None:
    found = db.rows("select lane from calendar_queue where calendar_id = %s", calendar["id"])
    return found[0]["lane"] if found else None


def test_the_queue_follows_whatever_is_written_to_calendars(db: Database) -> None:
    calendars = [db.calendar(sync_token="t") for _ in range(4)]
    dice = random.Random(7)
    for _ in range(150):
        names = dice.sample(sorted(VALUES), dice.randint(1, 4))
        db.set(dice.choice(calendars), **{name: dice.choice(VALUES[name]) for name in names})
        assert db.rows(SAME) == []


def test_each_calendar_waits_in_the_lane_of_what_it_waits_for(db: Database) -> None:
    lanes = {
        "first": db.calendar(),
        "poll": db.calendar(sync_token="t"),
        "imminent": db.calendar(sync_token="t", due_reason="imminent"),
        "notified": db.calendar(sync_token="t", due_reason="imminent", notifications_seen=1),
        "suspect": db.calendar(claims_unended=2),
    }
    assert {name: lane(db, calendar) for name, calendar in lanes.items()} == {name: name for name in lanes}
    assert lane(db, db.calendar(is_active=False)) is None
    assert lane(db, db.calendar(paused_reason="needs_reauth")) is None
    assert lane(db, db.calendar(duplicate_of=lanes["poll"]["id"])) is None
    db.admin.execute("delete from calendar_webhooks where id = %s", [lanes["poll"]["id"]])
    assert lane(db, lanes["poll"]) is None


def test_the_census_finds_calendars_that_the_queue_lost(db: Database) -> None:
    """A calendar without its place would never be looked at again, and one with a wrong one too late."""
    lost, late, left, right = (db.calendar(sync_token="t") for _ in range(4))
    db.admin.execute("set session_replication_role = replica")
    db.admin.execute("delete from calendar_queue where calendar_id = %s", [lost["id"]])
    db.admin.execute(
        "update calendar_queue set due_at = 'infinity', lane = 'suspect' where calendar_id = %s", [late["id"]]
    )
    db.admin.execute("update calendar_webhooks set is_active = false where id = %s", [left["id"]])
    db.admin.execute("reset session_replication_role")
    assert [row["calendar_id"] for row in db.claim()] == [right["id"]]
    while not db.value("count_census", p_limit=2):
        pass
    assert db.rows(SAME) == []
    assert {row["calendar_id"] for row in db.claim()} == {lost["id"], late["id"]}


@pytest.mark.parametrize("is_last", [False, True])
def test_the_census_clears_the_places_of_calendars_that_are_gone(db: Database, is_last: bool) -> None:
    """They would stand at the head of their lane for good, before all that may be claimed."""
    calendars = sorted((db.calendar(sync_token="t") for _ in range(3)), key=lambda calendar: str(calendar["id"]))
    gone = calendars.pop() if is_last else calendars.pop(0)
    db.admin.execute("set session_replication_role = replica")
    db.admin.execute("delete from calendar_webhooks where id = %s", [gone["id"]])
    db.admin.execute("reset session_replication_role")
    while not db.value("count_census", p_limit=1):
        pass
    assert {row["calendar_id"] for row in db.rows("select calendar_id from calendar_queue")} == {
        calendar["id"] for calendar in calendars
    }


def rewritten(connection: Connection, table: str) -> tuple[int, int]:
    """Rows of a table that this transaction updated so far, and those of them of which no index was written."""
    (row,) = connection.execute(
        "select n_tup_upd as updated, n_tup_hot_upd as hot from pg_stat_xact_user_tables where relname = %s", [table]
    ).fetchall()
    return row["updated"], row["hot"]


def test_notifications_claims_and_idle_looks_write_no_index_of_calendars(db: Database) -> None:
    # Room in its page, as there is in a table that is old: a vacuum leaves what somebody may still see.
    db.admin.execute("truncate calendar_webhooks cascade")
    calendar = db.calendar(sync_token="t", last_synced_at="2020-01-01", initial_sync="done")
    channel = db.channel(calendar)
    idle: dict[str, Any] = {**facts(sync_token="other", notifications_read=1), **part()}
    tables = ("calendar_webhooks", "calendar_channels")
    with db.service.transaction(force_rollback=True):
        # Within it: what the session did before is told to the others at any time, and no longer counted here.
        before = [rewritten(db.service, table) for table in tables]
        db.notify(channel)
        (claimed,) = db.call("claim_due_calendars", p_worker="w", p_limit=9, p_lease_seconds=60)
        held = {"p_calendar_ids": [calendar["id"]], "p_fences": [claimed["fence"]]}
        call(db.service, "keep_leases", **held, p_lease_seconds=90)
        (done,) = db.call("commit_sync", p_calendar_id=calendar["id"], p_fence=claimed["fence"], p_sync=idle)
        assert done["committed"]
        for table, least, (updated_before, hot_before) in zip(tables, (4, 1), before, strict=True):
            updated, hot = rewritten(db.service, table)
            assert updated - updated_before >= least
            assert hot - hot_before == updated - updated_before


def test_a_cron_looks_ahead_but_not_at_what_is_leased_or_in_its_backoff(db: Database) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100)
    ahead = db.calendar(sync_token="t", due_at=soon)
    db.calendar(sync_token="t", due_at=soon, not_before=soon)
    db.calendar(sync_token="t", due_at=soon, lease_expires_at=soon)
    claimed = db.call("claim_due_calendars", p_worker="w", p_limit=9, p_lease_seconds=60, p_ahead_seconds=300)
    assert [row["calendar_id"] for row in claimed] == [ahead["id"]]
