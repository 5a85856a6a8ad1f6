"""The queries of the original dashboard, as its document has them, give true figures on today's tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sql.database import Connection, Database, Row, connect, meeting, part

WEBHOOK_STATUS = """
SELECT
  user_id, google_calendar_id, is_active, expiration_time, last_webhook_received, last_poll_at, webhook_failures,
  CASE
    WHEN last_webhook_received > NOW() - INTERVAL '6 hours' THEN 'healthy'
    WHEN last_webhook_received > NOW() - INTERVAL '24 hours' THEN 'stale'
    ELSE 'unhealthy'
  END AS webhook_health
FROM calendar_webhooks
WHERE is_active = true
ORDER BY last_webhook_received DESC NULLS LAST;
"""

POLLING_EFFICIENCY = """
SELECT
  DATE(created_at) AS date,
  COUNT(*) AS total_polls,
  COUNT(*) FILTER (WHERE status = 'completed') AS completed,
  COUNT(*) FILTER (WHERE status = 'skipped') AS skipped,
  COUNT(*) FILTER (WHERE status = 'failed') AS failed,
  ROUND(COUNT(*) FILTER (WHERE status = 'skipped') * 100.0 / COUNT(*), 2) AS skip_rate
FROM calendar_sync_logs
WHERE sync_type IN ('incremental', 'full') AND created_at > NOW() - INTERVAL '7 days'
GROUP BY DATE(created_at)
ORDER BY date DESC;
"""

LAST_DAY = """
SELECT status, COUNT(*) AS count FROM calendar_sync_logs
WHERE created_at > NOW() - INTERVAL '24 hours' GROUP BY status ORDER BY status;
"""

SYNC_PERFORMANCE = """
SELECT
  sync_type,
  COUNT(*) AS total_syncs,
  AVG(duration_ms) AS avg_duration_ms,
  AVG(events_processed) AS avg_events,
  SUM(meetings_created) AS created,
  SUM(meetings_updated) AS updated,
  SUM(meetings_deleted) AS deleted,
  COUNT(*) FILTER (WHERE status = 'completed') * 100.0 / COUNT(*) AS success_rate
FROM calendar_sync_logs
WHERE created_at > NOW() - INTERVAL '7 days'
GROUP BY sync_type
ORDER BY sync_type;
"""

WEBHOOK_VERSUS_POLLING = """
SELECT
  COUNT(*) FILTER (WHERE sync_type = 'webhook') AS webhook_syncs,
  COUNT(*) FILTER (WHERE sync_type IN ('incremental', 'full')) AS polling_syncs,
  ROUND(COUNT(*) FILTER (WHERE sync_type = 'webhook') * 100.0 / NULLIF(COUNT(*), 0), 2) AS webhook_rate
FROM calendar_sync_logs
WHERE status = 'completed' AND created_at > NOW() - INTERVAL '7 days';
"""


@pytest.fixture
def editor(db: Database) -> Iterator[Connection]:
    """The dashboard's SQL editor: role postgres, which sees every row."""
    with connect(db.postgres_url) as connection:
        yield connection


def ask(editor: Connection, query: str) -> list[Row]:
    return editor.execute(query.encode()).fetchall()


def log(
    db: Database, user_id: str, sync_type: str, status: str = "completed", *, age: str = "1 hour", **more: int
) -> None:
    row = db.insert("calendar_sync_logs", user_id=user_id, sync_type=sync_type, status=status, **more)
    db.admin.execute(
        "update public.calendar_sync_logs set created_at = now() - %s::interval where id = %s", (age, row["id"])
    )


def test_webhook_status_tells_healthy_stale_and_unhealthy_calendars(db: Database, editor: Connection) -> None:
    ages = {"healthy": "5 hours", "stale": "7 hours", "unhealthy": "25 hours", "inactive": "1 hour", "silent": None}
    for name, age in ages.items():
        calendar = db.calendar(google_calendar_id=name, is_active=name != "inactive", webhook_failures=len(name))
        if age:
            db.set(calendar, last_webhook_received=f"now() - interval '{age}'")
    found = ask(editor, WEBHOOK_STATUS)
    assert [(row["google_calendar_id"], row["webhook_health"], row["webhook_failures"]) for row in found] == [
        ("healthy", "healthy", 7),
        ("stale", "stale", 5),
        ("unhealthy", "unhealthy", 9),
        ("silent", "unhealthy", 6),
    ]


def test_webhook_status_follows_a_notification_and_a_poll(db: Database, editor: Connection) -> None:
    calendar = db.calendar(webhook_failures=3)
    db.notify(db.channel(calendar))
    db.sync(calendar)
    (row,) = ask(editor, WEBHOOK_STATUS)
    assert (row["webhook_health"], row["webhook_failures"], row["last_poll_at"] is not None) == ("healthy", 0, True)


def test_polling_efficiency_counts_each_day_by_status(db: Database, editor: Connection) -> None:
    alice = db.user()
    for status, count in {"completed": 3, "skipped": 6, "failed": 1}.items():
        for _ in range(count):
            log(db, alice, "incremental", status, age="0 hours")
    # Of one moment: midnight may be just now.
    db.admin.execute("update public.calendar_sync_logs set created_at = now()")
    log(db, alice, "full", "skipped", age="2 days")
    log(db, alice, "webhook")
    log(db, alice, "full", age="8 days")
    today, earlier = ask(editor, POLLING_EFFICIENCY)
    assert (today["total_polls"], today["completed"], today["skipped"], today["failed"]) == (10, 3, 6, 1)
    assert today["skip_rate"] == 60
    assert (earlier["total_polls"], earlier["skip_rate"]) == (1, 100)


def test_last_day_counts_skips_too(db: Database, editor: Connection) -> None:
    calendar = db.calendar()
    db.skip(db.claim_one(calendar))
    db.skip(db.claim_one(calendar))
    db.fail(db.claim_one(calendar))
    db.set(calendar, not_before="null")
    db.sync(calendar)
    log(db, str(calendar["user_id"]), "incremental", age="25 hours")
    assert [(row["status"], row["count"]) for row in ask(editor, LAST_DAY)] == [
        ("completed", 1),
        ("failed", 1),
        ("skipped", 2),
    ]


def test_sync_performance_averages_and_sums_by_type(db: Database, editor: Connection) -> None:
    alice = db.user()
    log(db, alice, "webhook", duration_ms=100, events_processed=1, meetings_created=1)
    log(db, alice, "webhook", duration_ms=300, events_processed=4, meetings_created=2, meetings_deleted=5)
    log(db, alice, "webhook", "failed")
    log(db, alice, "webhook", "failed", duration_ms=200)
    log(db, alice, "initial", duration_ms=900, events_processed=50, meetings_created=40)
    log(db, alice, "manual", age="8 days")
    initial, webhook = ask(editor, SYNC_PERFORMANCE)
    assert (initial["sync_type"], initial["total_syncs"], initial["success_rate"]) == ("initial", 1, 100)
    assert (webhook["sync_type"], webhook["total_syncs"], webhook["success_rate"]) == ("webhook", 4, 50)
    assert (webhook["avg_duration_ms"], webhook["avg_events"]) == (200, 1.25)
    assert (webhook["created"], webhook["updated"], webhook["deleted"]) == (3, 0, 5)


def test_sync_performance_of_a_sync_is_what_it_did(db: Database, editor: Connection) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("a"), meeting("b")]), sync_type="initial", events_processed=2, duration_ms=40)
    changed = part([meeting("a", title="New")], families=["a", "b"])
    db.sync(calendar, changed, sync_type="webhook", events_processed=2, duration_ms=10)
    initial, webhook = ask(editor, SYNC_PERFORMANCE)
    assert (initial["created"], initial["updated"], initial["deleted"]) == (2, 0, 0)
    assert (webhook["created"], webhook["updated"], webhook["deleted"]) == (0, 1, 1)
    assert (initial["avg_duration_ms"], initial["avg_events"], webhook["avg_events"]) == (40, 2, 2)


def test_webhook_versus_polling_counts_what_asked_for_each_sync(db: Database, editor: Connection) -> None:
    calendar = db.calendar()
    for sync_type in ("initial", "webhook", "webhook", "webhook", "incremental", "full", "manual", "webhook"):
        db.sync(calendar, sync_type=sync_type)
    db.fail(db.claim_one(calendar), p_sync_type="webhook")
    assert ask(editor, WEBHOOK_VERSUS_POLLING) == [{"webhook_syncs": 4, "polling_syncs": 2, "webhook_rate": 50}]


def test_webhook_versus_polling_of_an_empty_log_is_no_error(db: Database, editor: Connection) -> None:
    assert ask(editor, WEBHOOK_VERSUS_POLLING) == [{"webhook_syncs": 0, "polling_syncs": 0, "webhook_rate": None}]
