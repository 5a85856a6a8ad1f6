"""What a commit does to `meetings`: only what differs is written, nothing is deleted, history stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sql.database import Database, Row, event, meeting, part


def counts(answer: Row) -> tuple[Any, ...]:
    return answer["created"], answer["updated"], answer["deleted"]


def states(db: Database, calendar: Row) -> dict[str, tuple[str, str | None]]:
    return {row["google_calendar_event_id"]: (row["status"], row["status_reason"]) for row in db.meetings(calendar)}


def test_counts_are_the_rows_whose_content_changed(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("same"), meeting("renamed"), meeting("gone")]))
    before = {row["google_calendar_event_id"]: row for row in db.meetings(calendar)}
    rows = part([meeting("same"), meeting("renamed", title="New"), meeting("new")])
    rows["families"].append({"base_event_id": "gone", "known_from": None})
    assert counts(db.sync(calendar, rows)) == (1, 1, 1)
    after = {row["google_calendar_event_id"]: row for row in db.meetings(calendar)}
    assert after["same"] == before["same"]
    assert (after["renamed"]["title"], after["renamed"]["id"]) == ("New", before["renamed"]["id"])
    assert after["renamed"]["updated_at"] > before["renamed"]["updated_at"]
    log = db.logs(calendar)[-1]
    assert [log[f"meetings_{name}"] for name in ("created", "updated", "deleted")] == [1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"title": "New"},
        {"description": "New"},
        {"meeting_url": "https://meet.google.com/abc"},
        {"start_time": "2030-01-16T12:00:00+00:00"},
        {"end_time": "2030-01-16T12:00:00+00:00"},
        {"event_status": "declined"},
        {"status": "tentative"},
        {"is_all_day": True},
        {"time_zone": "Asia/Tokyo"},
        {"provider": "meet"},
        {"room_key": "meet:abc"},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_each_column_of_a_meeting_follows_the_calendar(db: Database, change: Row) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting()]))
    assert counts(db.sync(calendar, part([meeting(**change)]))) == (0, 1, 0)
    assert counts(db.sync(calendar, part([meeting(**change)]))) == (0, 0, 0)


def test_vanished_occurrence_is_cancelled_and_its_row_stays(db: Database) -> None:
    calendar = db.calendar()
    occurrences = [meeting("series_1"), meeting("series_2"), meeting("series_3")]
    db.sync(calendar, part(occurrences))
    withheld = {"series_3": "no_meeting_url"}
    assert counts(db.sync(calendar, part(occurrences[:1], withheld=withheld))) == (0, 0, 2)
    assert states(db, calendar) == {
        "series_1": ("confirmed", None),
        "series_2": ("cancelled", "deleted"),
        "series_3": ("cancelled", "no_meeting_url"),
    }


def test_occurrence_that_comes_back_lives_again_in_its_row(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting()]))
    (first,) = db.meetings(calendar)
    db.sync(calendar, part(families=["event"]))
    assert counts(db.sync(calendar, part([meeting()]))) == (0, 1, 0)
    (again,) = db.meetings(calendar)
    assert (again["id"], again["status"], again["status_reason"]) == (first["id"], "confirmed", None)


def test_bot_status_is_not_the_calendars_to_say(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting()]))
    db.admin.execute("update public.meetings set bot_status = 'joined'")
    db.sync(calendar, part([meeting(title="New")]))
    assert [row["bot_status"] for row in db.meetings(calendar)] == ["joined"]


def test_occurrence_beyond_the_horizon_gets_no_row(db: Database) -> None:
    calendar = db.calendar()
    assert counts(db.sync(calendar, part([meeting(placement="beyond")]))) == (0, 0, 0)
    assert db.meetings(calendar) == []


def test_row_that_moved_beyond_the_horizon_is_withdrawn_once_and_returns(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting()]))
    beyond = part([meeting(placement="beyond", start_time="2030-06-01T00:00:00+00:00")])
    assert counts(db.sync(calendar, beyond)) == (0, 0, 1)
    assert states(db, calendar) == {"event": ("cancelled", "beyond_horizon")}
    before = db.meetings(calendar)
    assert counts(db.sync(calendar, beyond)) == (0, 0, 0)
    assert db.meetings(calendar) == before
    assert counts(db.sync(calendar, part([meeting()]))) == (0, 1, 0)
    assert states(db, calendar) == {"event": ("confirmed", None)}


def test_history_is_updated_but_never_inserted(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("known")]))
    before = part([meeting("known", placement="before", title="New"), meeting("unknown", placement="before")])
    assert counts(db.sync(calendar, before)) == (0, 1, 0)
    assert [row["title"] for row in db.meetings(calendar)] == ["New"]


def test_what_the_calendar_shows_of_the_past_is_true_again(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting()]))
    db.sync(calendar, part(families=["event"]))
    assert counts(db.sync(calendar, part([meeting(placement="before")]))) == (0, 1, 0)
    assert states(db, calendar) == {"event": ("confirmed", None)}


OVER = {"start_time": "2029-12-01T00:00:00+00:00", "end_time": "2029-12-01T01:00:00+00:00"}


@pytest.mark.parametrize(
    ("evidence", "ends"),
    [
        ({}, False),
        ({"known_from": "2029-12-01T00:00:01+00:00"}, False),
        ({"known_from": "2029-12-01T00:00:00+00:00"}, True),
        ({"known_from": "0001-01-01T00:00:00+00:00"}, True),
        ({"ended": ["a_1"]}, True),
        ({"withheld": {"a_1": "no_link"}}, True),
        ({"known_from": "0001-01-01T00:00:00+00:00", "present": ["a_1"]}, False),
    ],
)
def test_what_is_over_ends_on_evidence_alone(db: Database, evidence: dict[str, Any], ends: bool) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("a_1", **OVER)]))
    assert counts(db.sync(calendar, part(families=["a"], **evidence))) == (0, 0, int(ends))
    assert states(db, calendar)["a_1"][0] == ("cancelled" if ends else "confirmed")


@pytest.mark.parametrize("is_full", [False, True], ids=["incremental", "full"])
def test_a_family_set_aside_keeps_its_rows_until_it_is_written(db: Database, is_full: bool) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("odd"), meeting("other")]), is_full=True)
    odd = [{"base_id": "odd", "reason": "refused", "code": "22P05"}]
    db.sync(calendar, part([meeting("other")]), is_full=is_full, set_aside=odd)
    assert states(db, calendar) == {"odd": ("confirmed", None), "other": ("confirmed", None)}
    aside = "select base_event_id, reason, error_code from public.calendar_set_aside"
    assert db.admin.execute(aside).fetchall() == [{"base_event_id": "odd", "reason": "refused", "error_code": "22P05"}]
    db.sync(calendar, part([meeting("odd", title="Even")]))
    assert db.admin.execute(aside).fetchall() == []


@pytest.mark.parametrize("is_full", [False, True], ids=["incremental", "full"])
def test_history_before_what_was_derived_is_untouched(db: Database, is_full: bool) -> None:
    calendar = db.calendar()
    old = {"start_time": "2029-12-01T00:00:00+00:00", "end_time": "2029-12-01T01:00:00+00:00"}
    over_the_edge = {"start_time": "2029-12-31T23:00:00+00:00", "end_time": "2030-01-01T01:00:00+00:00"}
    db.sync(calendar, part([meeting("a_1", **old), meeting("a_2", **over_the_edge), meeting("a_3")]))
    before = db.meetings(calendar)[0]
    answer = db.sync(calendar, part(families=[] if is_full else ["a"]), is_full=is_full)
    assert counts(answer) == (0, 0, 2)
    assert db.meetings(calendar)[0] == before
    assert {name: status for name, (status, _) in states(db, calendar).items()} == {
        "a_1": "confirmed",
        "a_2": "cancelled",
        "a_3": "cancelled",
    }


def test_incremental_sync_leaves_other_families_alone(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("a"), meeting("b")]))
    before = db.meetings(calendar)[1]
    db.sync(calendar, part(families=["a"]))
    assert db.meetings(calendar)[1] == before


def test_full_sync_ends_the_meetings_of_families_it_did_not_see(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("gone_1"), meeting("gone_2"), meeting("stays")]), is_full=True)
    assert counts(db.sync(calendar, part([meeting("stays")]), is_full=True)) == (0, 0, 2)
    assert states(db, calendar)["gone_1"] == ("cancelled", "deleted")


def test_one_event_in_two_calendars_of_a_user_is_two_meetings(db: Database) -> None:
    first = db.calendar()
    second = db.calendar(first["user_id"])
    for calendar in (first, second):
        assert counts(db.sync(calendar, part([meeting()]))) == (1, 0, 0)
    db.sync(first, part(), is_full=True)
    assert states(db, first) == {"event": ("cancelled", "deleted")}
    assert states(db, second) == {"event": ("confirmed", None)}


def test_forgotten_events_leave_the_mirror_of_their_calendar_alone(db: Database) -> None:
    first, second = db.calendar(), db.calendar()
    for calendar in (first, second):
        db.sync(calendar, part(events=[event("a"), event("b")]))
    db.sync(first, part(forgotten=["a"]))
    left = db.rows("select calendar_id, google_event_id from public.calendar_events order by google_event_id")
    assert {(row["calendar_id"], row["google_event_id"]) for row in left} == {
        (first["id"], "b"),
        (second["id"], "a"),
        (second["id"], "b"),
    }


def test_deleting_a_calendar_keeps_its_meetings_for_their_user(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting()]))
    db.admin.execute("delete from public.calendar_webhooks")
    assert [row["user_id"] for row in db.rows("select user_id from public.meetings")] == [calendar["user_id"]]


def test_deleting_a_user_takes_everything_along(db: Database) -> None:
    alice = db.user()
    db.credentials(alice)
    calendar = db.calendar(alice)
    for _ in range(2):
        db.calendar(alice, duplicate_of=calendar["id"])
    db.channel(calendar)
    db.sync(calendar, part([meeting()]))
    db.admin.execute("delete from auth.users where id = %s", (alice,))
    tables = ("google_credentials", "calendar_webhooks", "calendar_channels", "calendar_events", "meetings")
    assert [db.rows(f"select 1 from public.{table}") for table in (*tables, "calendar_sync_logs")] == [[]] * 6


@pytest.mark.parametrize("rows", [1, 50, 500])
@pytest.mark.parametrize("looks", ["analyze", "vacuum analyze"])
def test_a_part_and_the_end_read_no_more_for_each_row_while_the_statistics_know_nothing(
    db: Database, looks: str, rows: int
) -> None:
    """They, and the plans that a connection keeps, are of tables that held next to nothing."""
    db.sync(db.calendar(), part([meeting(f"only{row}") for row in range(rows)]))
    db.admin.execute(f"{looks} public.meetings, public.calendar_events".encode())
    claim = db.claim_one(db.calendar())

    def rows_read() -> int:
        """By this connection, so far."""
        read = db.service.execute(
            "select sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::int as n from pg_stat_xact_user_tables"
            " where relname in ('meetings', 'calendar_events')"
        ).fetchall()
        return int(read[0]["n"])

    seen = []
    with db.service.transaction():
        for number in range(10):
            db.call(
                "stage_sync",
                p_calendar_id=claim["calendar_id"],
                p_fence=claim["fence"],
                p_sync_id=None,
                p_part=part([meeting(f"event{number}x{row}") for row in range(100)]),
                p_lease_seconds=60,
            )
            seen.append(rows_read())
        db.commit(claim, is_full=True)
        end = rows_read() - seen[-1]
    # What it wrote itself is looked at, several times: nothing of the nine hundred rows before it.
    assert seen[-1] - seen[-2] <= 5 * 100
    assert end <= 10 * 1000
