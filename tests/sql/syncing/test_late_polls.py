"""An outage's backlog: what only waited for its own time is put off, evenly."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sql.database import Database, Row


def late(db: Database, **columns: Any) -> Row:
    return db.calendar(after_seconds=-3600, **{"sync_token": "t", "due_reason": "poll_interval", **columns})


def waits(db: Database) -> list[float]:
    rows = db.rows(
        "select extract(epoch from due_at - now())::double precision as seconds from public.calendar_webhooks"
        " where due_at > now() - interval '1 minute' order by due_at"
    )
    return [row["seconds"] for row in rows]


def spread(db: Database, *, limit: int = 100) -> int:
    return int(db.value("spread_late_polls", p_late_seconds=300, p_over_seconds=1000, p_limit=limit))


def test_late_polls_are_put_off_evenly_and_each_once(db: Database) -> None:
    user = db.user()
    for _ in range(10):
        late(db, user_id=user)
    assert db.value("count_late_polls", p_late_seconds=300, p_limit=7) == 7

    assert spread(db) == 10

    assert waits(db) == [pytest.approx(50 + 100 * number, abs=5) for number in range(10)]
    assert db.value("count_late_polls", p_late_seconds=300, p_limit=100) == 0
    assert spread(db) == 0


def test_batches_are_spread_over_the_same_time(db: Database) -> None:
    user = db.user()
    for _ in range(4):
        late(db, user_id=user)
    assert [spread(db, limit=2), spread(db, limit=2), spread(db, limit=2)] == [2, 2, 0]
    assert waits(db) == [pytest.approx(at, abs=5) for at in (250, 250, 750, 750)]


@pytest.mark.parametrize(
    "columns",
    [
        {"notifications_seen": 1},
        {"sync_token": None},
        {"due_reason": "probe"},
        {"due_reason": "imminent"},
        {"due_reason": "watch_opened"},
        {"consecutive_failures": 1},
        {"paused_reason": "needs_reauth"},
        {"lease_expires_at": "2040-01-01"},
    ],
)
def test_whatever_somebody_waits_for_stays_due(db: Database, columns: dict[str, Any]) -> None:
    late(db, **columns)
    assert spread(db) == 0


def test_a_poll_that_is_hardly_late_is_no_backlog(db: Database) -> None:
    db.calendar(after_seconds=-60, sync_token="t", due_reason="poll_interval")
    assert spread(db) == 0


def test_one_that_somebody_holds_is_not_waited_for(db: Database) -> None:
    held = late(db)
    late(db)
    with db.another(role=None) as other, other.transaction():
        other.execute("select 1 from public.calendar_webhooks where id = %s for update", [held["id"]])
        assert spread(db) == 1
