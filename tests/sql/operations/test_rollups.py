"""What operators read of syncs is summed once from the logs, and equals them; idle logs become few and lose nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sql.database import Connection, Database, Row, call, event, part


def log(db: Database, calendar: Row | None = None, *, ago: str = "20 minutes", **columns: Any) -> Row:
    calendar = calendar or db.calendar()
    fields = {"sync_type": "incremental", "status": "completed", "reason": "poll_interval", **columns}
    row = db.insert("calendar_sync_logs", user_id=calendar["user_id"], calendar_id=calendar["id"], **fields)
    db.admin.execute(
        "update public.calendar_sync_logs set created_at = now() - %s::interval where id = %s", (ago, row["id"])
    )
    return row


def of_one_moment(db: Database) -> None:
    """What was logged of twenty minutes ago: five minutes, or a day, may have ended meanwhile."""
    db.admin.execute(
        "update public.calendar_sync_logs set created_at = now() - interval '20 minutes'"
        " where created_at between now() - interval '1 hour' and now() - interval '15 minutes'"
    )


def fold(db: Database, limit: int = 50) -> int:
    return int(db.value("fold_sync_logs", p_limit=limit))


def rolled_up(db: Database, seconds: int = 3600) -> dict[tuple[str, str, str], int]:
    rows = db.rows(
        "select sync_type, status, cause, sum(syncs)::int as syncs from sync_rollups where seconds = %s"
        " group by 1, 2, 3",
        seconds,
    )
    return {(row["sync_type"], row["status"], row["cause"]): row["syncs"] for row in rows}


def test_syncs_are_summed_by_type_status_and_cause(db: Database) -> None:
    for ago in ("3 hours", "20 minutes", "20 minutes", "1 second"):
        log(db, ago=ago)
    log(db, status="failed", error_code="backendError")
    log(db, status="skipped", reason="recent_notification")
    of_one_moment(db)
    assert fold(db) == 3
    expected = {
        ("incremental", "completed", "poll_interval"): 4,
        ("incremental", "failed", "backendError"): 1,
        ("incremental", "skipped", "recent_notification"): 1,
    }
    assert rolled_up(db) == rolled_up(db, 300) == expected


def test_what_is_logged_after_a_fold_is_counted_and_nothing_twice(db: Database) -> None:
    log(db, ago="1 second")
    for expected in (1, 2, 2):
        fold(db)
        assert rolled_up(db) == {("incremental", "completed", "poll_interval"): expected}
        if expected == 1:
            log(db, ago="1 second")


def test_a_commit_that_is_late_is_counted_for_a_minute(db: Database) -> None:
    log(db, ago="1 second")
    fold(db)
    # Its transaction began before the fold, and ended after it.
    log(db, ago="50 seconds")
    fold(db)
    assert rolled_up(db) == {("incremental", "completed", "poll_interval"): 2}


def test_what_is_folded_for_good_is_not_read_again(db: Database) -> None:
    log(db, ago="3 hours")
    assert [fold(db), fold(db)] == [1, 0]


def test_folding_goes_on_where_its_limit_ended(db: Database) -> None:
    for ago in ("4 days", "2 days", "3 hours", "2 hours"):
        log(db, ago=ago)
    assert [fold(db, limit=3), fold(db, limit=3)] == [3, 1]
    assert rolled_up(db) == {("incremental", "completed", "poll_interval"): 4}
    assert rolled_up(db, 300) == {("incremental", "completed", "poll_interval"): 2}


def test_a_second_folder_does_nothing_meanwhile(db: Database) -> None:
    log(db)
    other = db.another()
    with other.transaction():
        assert call(other, "fold_sync_logs", p_limit=9) == [{"fold_sync_logs": 1}]
        assert fold(db) == 0
    assert rolled_up(db) == {("incremental", "completed", "poll_interval"): 1}


def test_foreign_codes_are_bounded(db: Database) -> None:
    calendar = db.calendar()
    for number in range(60):
        log(db, calendar, status="failed", error_code=f"code{number}")
    fold(db)
    assert len(rolled_up(db)) == 41
    assert rolled_up(db)["incremental", "failed", "other"] == 20


def test_ages_of_changes_become_a_histogram_that_tells_quantiles(db: Database) -> None:
    log(db, sync_type="webhook", freshness_ms=[1000] * 98 + [60_000] * 2)
    log(db, freshness_ms=[3_600_000])
    fold(db)
    found = db.value("service_overview")["freshness"]
    assert found["push"]["changes"] == 100
    assert found["push"]["p50_seconds"] == pytest.approx(1, rel=0.42)
    assert found["push"]["p99_seconds"] == pytest.approx(60, rel=0.42)
    assert found["poll"]["p50_seconds"] == pytest.approx(3600, rel=0.42)


def test_a_commit_logs_how_old_its_changes_were_and_what_push_missed(db: Database) -> None:
    calendar = db.calendar()
    (then,) = db.rows("select (now() - interval '90 seconds')::text as at")
    changed = {"changed_at": [then["at"]], "changes_announced": 0, "changes_missed": 1}
    db.sync(calendar, part(events=[event()]), events_processed=1, missed_push=True, **changed)
    db.sync(calendar)
    first, idle = db.logs(calendar)
    assert 90_000 <= first["freshness_ms"][0] < 100_000
    assert (first["changes_missed"], idle["freshness_ms"]) == (1, None)


def test_a_commit_logs_whether_its_bound_was_kept(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, stale_bound_seconds=3600)
    db.sync(calendar)
    db.set(calendar, last_synced_at="now() - interval '2 hours'")
    db.sync(calendar)
    assert [each["is_past_bound"] for each in db.logs(calendar)] == [None, False, True]
    assert db.calendar_row(calendar["id"])["bounds_broken"] == 1


# Idle logs


def week_of(db: Database, calendar: Row, count: int, **columns: Any) -> None:
    """Logs of one week, five weeks ago, an hour apart."""
    for number in range(count):
        row = log(db, calendar, **columns)
        db.admin.execute(
            "update calendar_sync_logs set created_at ="
            " date_trunc('week', now() - interval '35 days', 'UTC') + make_interval(hours => %s) where id = %s",
            (number, row["id"]),
        )


def fold_idle(db: Database, limit: int = 1000, days: int = 7) -> list[int]:
    """Rows dropped by each step, until there are no more."""
    dropped = []
    while True:
        (step,) = db.call("fold_idle_logs", p_keep_days=days, p_limit=limit)
        dropped.append(step["dropped"])
        if step["seen"] < limit:
            return dropped


@pytest.mark.parametrize(("limit", "steps"), [(1000, [6]), (4, [3, 3])])
def test_idle_looks_of_a_week_become_one_row_that_counts_them(db: Database, limit: int, steps: list[int]) -> None:
    calendar = db.calendar()
    week_of(db, calendar, 7, duration_ms=10, google_calls=1)
    log(db, calendar)
    fold(db)
    assert fold_idle(db, limit) == steps
    folded, newest = db.logs(calendar)
    assert (folded["syncs"], folded["google_calls"], folded["duration_ms"]) == (7, 7, 10)
    assert newest["syncs"] == 1
    assert fold_idle(db, limit) == [0]


@pytest.mark.parametrize(
    "what",
    [
        {"events_processed": 1},
        {"meetings_created": 1},
        {"notifications": 1},
        {"status": "failed"},
        {"is_full": True},
        {"audited": 0},
    ],
)
def test_what_changed_failed_or_answered_keeps_its_row(db: Database, what: Row) -> None:
    calendar = db.calendar()
    week_of(db, calendar, 2, **what)
    log(db, calendar)
    fold(db)
    assert fold_idle(db) == [0]
    assert len(db.logs(calendar)) == 3


def test_types_and_statuses_are_counted_apart_and_calendars_too(db: Database) -> None:
    alices, bobs = db.calendar(), db.calendar()
    for calendar in (alices, bobs):
        week_of(db, calendar, 3)
        week_of(db, calendar, 2, status="skipped")
        log(db, calendar)
    fold(db)
    assert fold_idle(db) == [6]
    for calendar in (alices, bobs):
        kept = {each["status"]: each["syncs"] for each in db.logs(calendar)[:-1]}
        assert kept == {"completed": 3, "skipped": 2}


def test_recent_ones_the_newest_and_what_is_not_rolled_up_yet_stay(db: Database) -> None:
    recent, silent = db.calendar(), db.calendar()
    log(db, recent, ago="6 days")
    log(db, recent, ago="6 days")
    week_of(db, silent, 3)
    assert fold_idle(db) == [0]
    fold(db)
    assert fold_idle(db) == [1]
    assert [each["syncs"] for each in db.logs(silent)] == [2, 1]
    assert len(db.logs(recent)) == 2


# Views


@pytest.fixture
def editor(db: Database) -> Connection:
    return db.another(role=None)


def ask(editor: Connection, query: str) -> list[Row]:
    return editor.execute(query.encode()).fetchall()


def test_views_say_what_the_original_queries_say_of_the_logs(db: Database, editor: Connection) -> None:
    calendar = db.calendar()
    for sync_type, status in [("webhook", "completed")] * 3 + [
        ("incremental", "completed"),
        ("incremental", "skipped"),
    ]:
        log(db, calendar, sync_type=sync_type, status=status, duration_ms=100, events_processed=2, meetings_created=1)
    log(db, calendar, status="failed", error_code="backendError")
    of_one_moment(db)
    fold(db)
    (polls,) = ask(editor, "select * from polling_efficiency")
    assert (polls["total_polls"], polls["completed"], polls["skipped"], polls["failed"]) == (3, 1, 1, 1)
    assert polls["skip_rate"] == Decimal("33.33")
    (rates,) = ask(editor, "select * from detection_rates")
    assert (rates["webhook_syncs"], rates["polling_syncs"], rates["webhook_rate"]) == (3, 1, 75)
    incremental, webhook = ask(editor, "select * from sync_performance order by sync_type")
    assert (webhook["total_syncs"], webhook["avg_duration_ms"], webhook["created"]) == (3, 100, 3)
    assert (webhook["avg_events"], webhook["success_rate"]) == (2, 100)
    assert (incremental["total_syncs"], incremental["success_rate"]) == (3, Decimal("33.33"))


def test_detection_rates_tell_what_push_missed(db: Database, editor: Connection) -> None:
    log(db, sync_type="webhook", freshness_ms=[5, 5, 5], changes_announced=3, changes_missed=0)
    log(db, freshness_ms=[900_000], changes_announced=0, changes_missed=1)
    fold(db)
    (rates,) = ask(editor, "select * from detection_rates")
    assert (rates["changes_by_webhook"], rates["changes_by_polling"], rates["missed_push_rate"]) == (3, 1, 25)


def test_webhook_health_is_the_original_status_of_active_calendars(db: Database, editor: Connection) -> None:
    for hours, is_active in ((5, True), (7, True), (25, True), (1, False)):
        calendar = db.calendar(google_calendar_id=str(hours), is_active=is_active)
        db.set(calendar, last_webhook_received=f"now() - interval '{hours} hours'")
    found = ask(
        editor, "select google_calendar_id, webhook_health from webhook_health order by last_webhook_received desc"
    )
    assert [tuple(row.values()) for row in found] == [("5", "healthy"), ("7", "stale"), ("25", "unhealthy")]
