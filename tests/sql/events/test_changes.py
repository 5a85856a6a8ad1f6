"""Whoever writes meetings or calendars, the feed tells of it: in the same transaction, once, and of nothing else."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.database import Database, Row, event, facts, meeting, part
from tests.sql.events.feed import last, told, types

# Columns of meetings whose change tells nobody, or something else than meeting.updated.
BOOKKEEPING = {
    "id", "user_id", "google_calendar_event_id", "base_event_id", "calendar_id", "created_at", "updated_at",
    "status_reason", "room_key", "sync_id", "entered_horizon_at",
}  # fmt: skip


@pytest.fixture
def calendar(db: Database) -> Row:
    return db.calendar()


def brief(events: list[Row]) -> list[tuple[str, Any, Any]]:
    return [(event["type"], event["data"].get("changed"), event["data"].get("reason")) for event in events]


def test_a_sync_tells_what_it_created_changed_and_cancelled(db: Database, calendar: Row) -> None:
    db.sync(calendar, part([meeting("a"), meeting("b")]))
    created = told(db)
    assert [event["type"] for event in created] == ["calendar.connected", "meeting.created", "meeting.created"]
    row = db.meetings(calendar)[0]
    assert (created[1]["meeting_id"], created[1]["calendar_id"]) == (str(row["id"]), str(calendar["id"]))
    assert (created[1]["user_id"], created[1]["data"]) == (str(calendar["user_id"]), {})
    mark = last(db)

    db.sync(calendar, part([meeting("a", title="Moved", start_time="2030-01-15T13:00:00+00:00")], families=["a", "b"]))

    assert sorted(brief(told(db, after=mark)), key=str) == [
        ("meeting.cancelled", ["status"], "deleted"),
        ("meeting.updated", ["title", "start_time"], None),
    ]


def test_a_commit_that_changes_nothing_or_is_undone_tells_nothing(db: Database, calendar: Row) -> None:
    db.sync(calendar, part([meeting("a")]))
    mark = last(db)

    db.sync(calendar, part([meeting("a")]))
    with db.service.transaction(force_rollback=True):
        db.service.execute("update public.meetings set title = 'Never'")

    assert types(db, after=mark) == []


def test_what_comes_back_is_told_as_a_change_of_its_status(db: Database, calendar: Row) -> None:
    db.sync(calendar, part([meeting("a")]))
    db.sync(calendar, part(families=["a"]))
    mark = last(db)

    db.sync(calendar, part([meeting("a")]))

    assert brief(told(db, after=mark)) == [("meeting.updated", ["status"], None)]


def test_a_roll_tells_what_enters_and_not_that_it_was_a_roll(db: Database, calendar: Row) -> None:
    db.sync(calendar, part(events=[event("far")]), horizon_until="2030-01-01T00:00:00+00:00")
    mark = last(db)
    claim = db.claim_one(calendar)
    db.call(
        "commit_roll",
        p_calendar_id=calendar["id"],
        p_fence=claim["fence"],
        p_part={**part([meeting("far")]), "entering": {}},
        p_horizon_until="2030-03-01T00:00:00+00:00",
        p_is_last=True,
        p_lease_seconds=60,
        p_generation=None,
    )

    assert types(db, after=mark) == ["meeting.created"]


def test_hiding_private_content_is_told(db: Database, calendar: Row) -> None:
    db.sync(calendar, part([meeting("a", is_private=True, description="Secret")]))
    mark = last(db)
    db.insert("settings_generations", generation=1, meaning='{"hide_private": true}', declared_by="test")

    assert db.value("hide_private_meetings", p_limit=10) == 1

    assert brief(told(db, after=mark)) == [("meeting.updated", ["title", "description"], None)]


@pytest.mark.parametrize(("choice", "reason"), [("keep", "calendar_removed"), ("delete", "row_deleted")])
def test_leaving_a_calendar_is_told_of_it_and_of_its_meetings(
    db: Database, calendar: Row, choice: str, reason: str
) -> None:
    db.sync(calendar, part([meeting("a")]))
    mark = last(db)
    names = [calendar["google_calendar_id"]]

    db.value("remove_calendars", p_user_id=calendar["user_id"], p_google_calendar_ids=names, p_meetings=choice)

    assert brief(told(db, after=mark)) == [
        ("calendar.lost", None, "left"),
        ("meeting.cancelled", ["status"], reason),
    ]


def test_losing_and_regaining_a_grant_is_told_of_each_calendar(db: Database) -> None:
    alice = db.user()
    db.credentials(alice, refresh_token="v1.r")
    calendar = db.calendar(alice)
    db.calendar(alice, is_active=False)
    mark = last(db)

    db.value("lose_connection", p_user_id=alice, p_reason="invalid_grant", p_used_refresh_token="v1.r")
    assert brief(told(db, after=mark)) == [("calendar.lost", None, "needs_reauth")]

    regained = {"p_access_token": "v1.a", "p_access_token_expires_at": None, "p_refresh_token": None}
    db.value("regain_connection", p_user_id=alice, p_used_refresh_token="v1.r", **regained, p_oauth_client="c")
    assert [event["calendar_id"] for event in told(db, after=mark + 1)] == [str(calendar["id"])]
    assert types(db, after=mark + 1) == ["calendar.regained"]


def test_a_calendar_that_google_refuses_is_lost_then_retired_then_regained(db: Database, calendar: Row) -> None:
    db.sync(
        calendar, part([meeting("a", start_time="2040-01-01T00:00:00+00:00", end_time="2040-01-01T01:00:00+00:00")])
    )
    mark = last(db)

    db.fail(db.claim_one(calendar), p_lost_message="It is gone.")
    db.set(calendar, access_lost_at="now() - interval '9 days'", not_before="null")
    assert db.value("retire_lost_calendars", p_after_seconds=3600.0, p_limit=10) == 1
    assert brief(told(db, after=mark)) == [
        ("calendar.lost", None, "access_lost"),
        ("calendar.lost", None, "retired"),
        ("meeting.cancelled", ["status"], "calendar_lost"),
    ]

    db.sync(calendar, part(), is_full=True)
    assert types(db, after=mark + 3) == ["calendar.regained"]


def test_connecting_anew_tells_connected(db: Database, calendar: Row) -> None:
    mark = last(db)
    db.set(calendar, is_active="false")
    db.set(calendar, is_active="true")

    assert types(db, after=mark) == ["calendar.lost", "calendar.connected"]


def test_what_happens_to_a_calendar_all_the_time_tells_nothing(db: Database, calendar: Row) -> None:
    channel = db.channel(calendar)
    mark = last(db)

    db.notify(channel)
    db.fail(db.claim_one(calendar))
    db.set(calendar, due_at="now()", not_before="null", watch_retry_at="now()")
    db.sync(calendar)

    assert types(db, after=mark) == []


def test_only_a_bots_status_is_told_apart(db: Database, calendar: Row) -> None:
    db.sync(calendar, part([meeting("a")]))
    mark = last(db)

    db.service.execute("update public.meetings set bot_status = 'bot_joined', updated_at = now()")

    assert [(event["type"], event["data"]) for event in told(db, after=mark)] == [
        ("bot.status_changed", {"changed": ["bot_status"], "from": "pending", "to": "bot_joined"})
    ]


def test_every_column_of_a_meeting_is_content_or_bookkeeping(db: Database, calendar: Row) -> None:
    """A new column is decided about: it is compared in tell_changed_meetings, or it is named here."""
    columns = db.rows(
        "select attname as name, format_type(atttypid, null) as type from pg_attribute"
        " where attrelid = 'public.meetings'::regclass and attnum > 0 and not attisdropped"
    )
    other = {
        "text": "'x'",
        "integer": "7",
        "boolean": "not coalesce({0}, false)",
        "timestamp with time zone": "'2031-01-01'",
    }
    silent = set()
    for column in columns:
        name = column["name"]
        if column["type"] == "uuid" or name.startswith("bot_"):
            silent |= {name} - {each["name"] for each in columns if each["name"].startswith("bot_")}
            continue
        db.sync(calendar, part([meeting("a", is_private=False)]))
        mark = last(db)
        value = "'cancelled'" if name == "status" else other[column["type"]].format(name)
        value = "'declined'" if name == "event_status" else value
        with db.service.transaction():
            db.service.execute(f"update public.meetings set {name} = {value}".encode())
        changes = [event["data"]["changed"] for event in told(db, after=mark)]
        if not changes:
            silent.add(name)
        else:
            assert changes == [[name]]
        db.admin.execute("delete from public.meetings")
    assert silent == BOOKKEEPING


def test_a_deleted_user_leaves_nothing_but_that_their_calendars_are_gone(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    calendars = [db.calendar(alice), db.calendar(alice)]
    theirs = db.calendar(bob)
    for calendar in (*calendars, theirs):
        db.sync(calendar, part([meeting("a")]))
    db.insert("meetings", user_id=alice, title="Original", start_time="2030-01-01")
    last(db)

    db.admin.execute("delete from auth.users where id = %s", (alice,))

    left = told(db)
    assert {event["user_id"] for event in left} == {bob, None}
    assert {(e["calendar_id"], e["type"], e["data"]["reason"]) for e in left if e["user_id"] is None} == {
        (str(calendar["id"]), "calendar.lost", "deleted") for calendar in calendars
    }
    assert alice not in str(left)


def test_a_user_may_change_what_is_theirs_and_still_not_write_the_feed(db: Database, calendar: Row) -> None:
    """The triggers write for whoever may change the row."""
    db.sync(calendar, part([meeting("a")]))
    mark = last(db)
    with db.admin.transaction(force_rollback=True):
        db.admin.execute("grant update (title) on public.meetings to authenticated")
        db.admin.execute("create policy everybody on public.meetings for update to authenticated using (true)")
        db.admin.execute("create policy anybody on public.meetings for select to authenticated using (true)")
        db.admin.execute("set local role authenticated")
        db.admin.execute("update public.meetings set title = 'Mine'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.admin.transaction():
            db.admin.execute("select 1 from public.change_events")
        db.admin.execute("reset role")
        written = db.rows("select type from public.change_events where position is null")
    assert written == [{"type": "meeting.updated"}]
    assert types(db, after=mark) == []


def test_an_upgrade_of_thousands_of_rows_is_one_statement(db: Database, calendar: Row) -> None:
    """A first listing: the events of one statement are written by one statement."""
    rows = [meeting(f"m{number}") for number in range(300)]
    db.commit(db.claim_one(calendar), {**facts(is_full=True), **part(rows)})

    assert types(db).count("meeting.created") == 300
