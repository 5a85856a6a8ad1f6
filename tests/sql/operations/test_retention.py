"""What grows with time has an end, and what is still needed stays."""

from __future__ import annotations

import pytest

from tests.sql.database import Database, Row

DAYS = 90


def logs(db: Database, calendar: Row | None, *days_old: float) -> None:
    for days in days_old:
        db.admin.execute(
            "insert into public.calendar_sync_logs (user_id, calendar_id, sync_type, status, reason, created_at)"
            " values (%s, %s, 'full', 'completed', %s, clock_timestamp() - make_interval(secs => %s))",
            (calendar["user_id"] if calendar else db.user(), calendar and calendar["id"], str(days), days * 86400),
        )


def left(db: Database, calendar: Row) -> list[str]:
    return [log["reason"] for log in db.logs(calendar)]


def drop_logs(db: Database, limit: int = 1000) -> list[int]:
    """Rows dropped by each step, until there are no more."""
    dropped: list[int] = []
    after: Row = {}
    while True:
        (step,) = db.call("drop_old_logs", p_keep_days=DAYS, p_limit=limit, **after)
        dropped.append(step["dropped"])
        if step["seen"] < limit:
            return dropped
        after = {"p_after_at": step["last_at"], "p_after_id": step["last_id"]}


def test_old_logs_go_but_for_the_newest_of_each_calendar(db: Database) -> None:
    busy, quiet = db.calendar(), db.calendar()
    logs(db, busy, 200, 91, 89, 1)
    logs(db, quiet, 300, 250)

    drop_logs(db)

    assert (left(db, busy), left(db, quiet)) == (["89", "1"], ["250"])


def test_of_two_logs_of_one_moment_one_stays(db: Database) -> None:
    calendar = db.calendar()
    logs(db, calendar, 200, 200)
    db.admin.execute("update public.calendar_sync_logs set created_at = '2020-01-01'")

    drop_logs(db)

    assert left(db, calendar) == ["200"]


def test_old_logs_of_no_calendar_go(db: Database) -> None:
    """Of the original tables, or of a calendar that is gone."""
    logs(db, None, 91, 89)
    drop_logs(db)
    assert db.rows("select reason from public.calendar_sync_logs where calendar_id is null") == [{"reason": "89"}]


def test_steps_are_bounded_and_go_on_behind_what_stays(db: Database) -> None:
    for _ in range(5):
        logs(db, db.calendar(), 200)
    busy = db.calendar()
    logs(db, busy, 150, 140, 130, 1)

    assert drop_logs(db, limit=2) == [0, 0, 1, 2, 0]
    assert left(db, busy) == ["1"]


@pytest.mark.parametrize(
    ("state", "columns", "stays"),
    [
        ("stopped", {}, False),
        ("expired", {}, False),
        ("failed", {"expires_at": None}, False),
        ("superseded", {}, False),
        ("stopped", {"updated_at": "2 days"}, True),
        # Stopping it failed: it speaks until it lapses.
        ("superseded", {"expires_at": "1 day"}, True),
        # Its answer was lost: nobody knows how long it lives.
        ("failed", {"expires_at": None, "created_at": "140 days"}, True),
        ("live", {}, True),
        ("opening", {}, True),
    ],
)
def test_channels_go_once_they_are_long_over(
    db: Database, state: str, columns: dict[str, str | None], stays: bool
) -> None:
    channel = db.channel(db.calendar(), state)
    ages = {"created_at": "300 days", "updated_at": "200 days", "expires_at": "190 days", **columns}
    for column, age in ages.items():
        db.admin.execute(
            f"update public.calendar_channels set {column} = now() - %s::interval where id = %s".encode(),
            (age, channel["id"]),
        )

    assert db.value("drop_old_channels", p_keep_days=DAYS, p_limit=100) == (0 if stays else 1)
    assert db.value("drop_old_channels", p_keep_days=DAYS, p_limit=100) == 0


def test_items_of_a_listing_stay_while_somebody_may_go_on_with_it(db: Database) -> None:
    left_behind, under_way = db.calendar(), db.calendar()
    for calendar in (left_behind, under_way):
        claim = db.claim_one(calendar)
        for number in range(3):
            db.insert(
                "calendar_staged_items",
                calendar_id=calendar["id"],
                google_event_id=f"event{number}",
                base_event_id="event",
                fence=claim["fence"],
                details="{}",
            )
    assert db.value("drop_left_items", p_limit=2) == 0

    db.set(left_behind, lease_expires_at="now() - interval '25 hours'")

    assert [db.value("drop_left_items", p_limit=2) for _ in range(3)] == [2, 1, 0]
    assert {row["calendar_id"] for row in db.rows("select calendar_id from public.calendar_staged_items")} == {
        under_way["id"]
    }
