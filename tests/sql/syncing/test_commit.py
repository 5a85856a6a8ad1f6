"""commit_sync and stage_sync: all of a sync becomes true together, once, and only for who holds the calendar."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.database import Database, Row, event, facts, in_background, meeting, part

STATE = """
select (select json_agg(w order by w.id) from public.calendar_webhooks w)::text as calendars,
  (select json_agg(m order by m.id) from public.meetings m)::text as meetings,
  (select json_agg(e order by e.google_event_id) from public.calendar_events e)::text as events,
  (select json_agg(l order by l.id) from public.calendar_sync_logs l)::text as logs
"""


def counts(answer: Row) -> tuple[Any, ...]:
    return answer["created"], answer["updated"], answer["deleted"]


def test_token_health_due_time_and_log_change_together(db: Database) -> None:
    calendar = db.calendar(consecutive_failures=3, last_error_code="quota")
    answer = db.sync(
        calendar,
        part([meeting()]),
        sync_token="next",
        is_full=True,
        time_zone="Europe/Zurich",
        events_processed=1,
        google_calls=2,
        reason="because",
    )
    assert (answer["committed"], *counts(answer), answer["notified"]) == (True, 1, 0, 0, False)
    after = db.calendar_row(calendar["id"])
    assert [after[name] for name in ("sync_token", "time_zone", "committed_fence", "leased")] == [
        "next", "Europe/Zurich", 1, False,
    ]  # fmt: skip
    assert (after["consecutive_failures"], after["last_error_code"]) == (0, None)
    assert after["last_synced_at"] == after["last_poll_at"] == after["last_change_at"]
    assert 3590 < after["due_in"] <= 3600
    (log,) = db.logs(calendar)
    names = ("status", "sync_type", "reason", "events_processed", "meetings_created", "google_calls", "error_message")
    assert [log[name] for name in names] == ["completed", "incremental", "because", 1, 1, 2, None]
    (stored,) = db.meetings(calendar)
    assert stored["sync_id"] == log["sync_id"]
    assert stored["user_id"] == calendar["user_id"]


def test_commit_of_a_lost_lease_changes_nothing(db: Database) -> None:
    calendar = db.calendar()
    late = db.claim_one(calendar, lease=0)
    db.claim_one(calendar)
    before = db.row(STATE)
    assert db.commit(late, part([meeting()]))["committed"] is False
    assert db.row(STATE) == before


def test_repeated_commit_gives_the_first_answer_and_changes_nothing(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    rows, sync_id = part([meeting("a"), meeting("b")]), str(uuid.uuid4())
    first = db.commit(claim, rows, sync_id=sync_id)
    before = db.row(STATE)
    again = db.commit(claim, rows, sync_id=sync_id)
    assert {**again, "due_in_seconds": 0} == {**first, "due_in_seconds": 0}
    assert 0 < first["due_in_seconds"] - again["due_in_seconds"] < 10
    assert db.row(STATE) == before


def test_repeated_commit_gives_the_first_answer_though_another_worker_has_the_calendar(db: Database) -> None:
    calendar = db.calendar()
    claim, sync_id = db.claim_one(calendar), str(uuid.uuid4())
    first = db.commit(claim, part([meeting()]), sync_id=sync_id)
    db.claim_one(calendar)
    before = db.row(STATE)
    again = db.commit(claim, part([meeting()]), sync_id=sync_id)
    assert (again["committed"], *counts(again)) == (True, *counts(first))
    assert db.row(STATE) == before


def test_commit_after_the_claim_was_ended_otherwise_is_refused(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    db.skip(claim)
    before = db.row(STATE)
    assert db.commit(claim, part([meeting()]))["committed"] is False
    assert db.row(STATE) == before


def test_two_commits_of_one_claim_at_once_are_one(db: Database) -> None:
    calendar, other = db.calendar(), db.another()
    claim = db.claim_one(calendar)
    sync = {**facts(), **part([meeting()])}
    statement = "select * from public.commit_sync(%s, %s, %s)"
    parameters = (calendar["id"], claim["fence"], psycopg.types.json.Jsonb(sync))
    with db.service.transaction():
        first = db.service.execute(statement, parameters).fetchone()
        second = in_background(lambda: other.execute(statement, parameters).fetchone())
        db.await_waiting()
    assert first is not None
    assert counts(second.result(60)) == counts(first) == (1, 0, 0)
    assert len(db.logs(calendar)) == len(db.meetings(calendar)) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"sync_type": "unheard-of"},
        {"meetings": [meeting(), meeting()]},
        {"events": [event(status="unheard-of")]},
        {"duration_ms": "not a number"},
    ],
    ids=["last_statement", "meeting", "event", "number"],
)
def test_an_error_inside_rolls_everything_back(db: Database, broken: Row) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("kept")]))
    claim = db.claim_one(calendar)
    before = db.row(STATE)
    with pytest.raises(psycopg.Error):
        db.commit(claim, {**part([meeting()]), **broken})
    assert db.row(STATE) == before
    assert db.commit(claim, part([meeting()]))["committed"] is True


def test_sync_that_found_nothing_writes_no_meeting_and_no_event(db: Database) -> None:
    calendar = db.calendar()
    rows = part([meeting("a"), meeting("b")])
    db.sync(calendar, rows)
    events = "select ctid::text, xmin::text from public.calendar_events order by google_event_id"
    before, events_before = db.meetings(calendar), db.rows(events)
    assert counts(db.sync(calendar, rows)) == (0, 0, 0)
    assert counts(db.sync(calendar, part())) == (0, 0, 0)
    assert (db.meetings(calendar), db.rows(events)) == (before, events_before)


def test_change_time_moves_only_when_google_sent_something(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, events_processed=0)
    assert db.calendar_row(calendar["id"])["last_change_at"] is None
    db.sync(calendar, events_processed=1)
    assert db.calendar_row(calendar["id"])["last_change_at"] is not None


def test_notified_sync_is_no_poll(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, sync_type="webhook")
    after = db.calendar_row(calendar["id"])
    assert (after["last_poll_at"], after["last_synced_at"] is not None) == (None, True)


def test_missed_pushes_add_up_until_a_notification_comes(db: Database) -> None:
    calendar = db.calendar()
    for _ in range(2):
        db.sync(calendar, missed_push=True)
    db.sync(calendar)
    assert db.calendar_row(calendar["id"])["webhook_failures"] == 2
    db.notify(db.channel(calendar))
    assert db.calendar_row(calendar["id"])["webhook_failures"] == 0


def test_deaf_channel_is_taken_for_lapsed(db: Database) -> None:
    calendar = db.calendar(expiration_time="2040-01-01", watch_retry_at="2040-01-01")
    db.channel(calendar)
    db.sync(calendar, missed_push=True, reopen_watch=True)
    opened = db.call("claim_expiring_watches", p_limit=5, p_lease_seconds=60)
    assert [row["calendar_id"] for row in opened] == [calendar["id"]]


def test_latency_is_that_of_the_notifications_this_sync_served(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    db.notify(channel)
    db.set(calendar, notified_since="notified_since - interval '5 seconds'")
    claim = db.claim_one(calendar)
    db.notify(channel)
    db.commit(claim)
    (log,) = db.logs(calendar)
    assert log["notifications"] == 1
    assert 5000 <= log["latency_ms"] < 15000
    assert db.calendar_row(calendar["id"])["notified_since"] is not None
    db.sync(calendar)
    assert db.logs(calendar)[-1]["latency_ms"] < 10000
    assert db.calendar_row(calendar["id"])["notified_since"] is None


def test_poll_that_a_notification_overtakes_has_no_latency(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    db.notify(db.channel(calendar))
    since = db.calendar_row(calendar["id"])["notified_since"]
    db.commit(claim)
    assert db.logs(calendar)[0]["latency_ms"] is None
    assert db.calendar_row(calendar["id"])["notified_since"] == since


def test_calendar_that_was_paused_for_months_after_a_notification_can_be_synced(db: Database) -> None:
    calendar = db.calendar()
    db.notify(db.channel(calendar))
    db.set(calendar, notified_since="now() - interval '100 days'")
    assert db.sync(calendar)["committed"] is True


def test_staged_parts_and_the_last_one_are_one_sync(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("old"), meeting("a")]), is_full=True)
    claim, sync_id = db.claim_one(calendar), str(uuid.uuid4())
    (staged,) = db.call(
        "stage_sync",
        p_calendar_id=calendar["id"],
        p_fence=claim["fence"],
        p_sync_id=sync_id,
        p_part=part([meeting("a", title="Renamed"), meeting("b")]),
        p_lease_seconds=500,
    )
    assert (staged["accepted"], *counts(staged)) == (True, 1, 1, 0)
    middle = db.calendar_row(calendar["id"])
    assert (middle["sync_token"], middle["leased"], middle["due_in"] > 400) == ("token", True, True)
    assert {row["status"] for row in db.meetings(calendar)} == {"confirmed"}
    sums = {"created": 1, "updated": 1, "deleted": 0}
    answer = db.commit(claim, part([meeting("c")]), is_full=True, sync_id=sync_id, sync_token="new", staged=sums)
    assert counts(answer) == (2, 1, 1)
    live = [row["google_calendar_event_id"] for row in db.meetings(calendar) if row["status"] != "cancelled"]
    assert live == ["a", "b", "c"]
    assert db.calendar_row(calendar["id"])["sync_token"] == "new"


def test_staging_without_the_lease_changes_nothing(db: Database) -> None:
    calendar = db.calendar()
    late = db.claim_one(calendar, lease=0)
    db.claim_one(calendar)
    before = db.row(STATE)
    arguments = {"p_sync_id": str(uuid.uuid4()), "p_part": part([meeting()]), "p_lease_seconds": 500}
    (answer,) = db.call("stage_sync", p_calendar_id=calendar["id"], p_fence=late["fence"], **arguments)
    assert answer["accepted"] is False
    assert db.row(STATE) == before


def test_full_sync_drops_from_the_mirror_what_its_generation_did_not_see(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part(events=[event("gone"), event("stays")]), is_full=True)
    db.sync(calendar, part(events=[event("incremental")]))
    db.sync(calendar, part(events=[event("stays"), event("incremental")]), is_full=True)
    names = db.rows("select google_event_id from public.calendar_events order by 1")
    assert [row["google_event_id"] for row in names] == ["incremental", "stays"]


def test_abandoned_full_sync_sweeps_nothing(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("a"), meeting("b")]), is_full=True)
    claim = db.claim_one(calendar, lease=0)
    arguments = {"p_sync_id": str(uuid.uuid4()), "p_part": part([meeting("a")]), "p_lease_seconds": 0}
    db.call("stage_sync", p_calendar_id=calendar["id"], p_fence=claim["fence"], **arguments)
    db.sync(calendar, part([meeting("c")]))
    assert [row["status"] for row in db.meetings(calendar)] == ["confirmed"] * 3
    assert len(db.rows("select 1 from public.calendar_events")) == 3


def test_families_are_read_whole_past_a_thousand_rows(db: Database) -> None:
    calendar, other = db.calendar(), db.calendar()
    db.sync(calendar, part(events=[event(f"series_{number}") for number in range(1200)]))
    db.sync(calendar, part([meeting("series_x", start_time="2030-01-10T00:00:00+00:00")]))
    db.sync(other, part([meeting("series_x"), meeting("other")]))
    answer = db.value("read_families", p_calendar_id=calendar["id"], p_base_event_ids=["series"])
    assert len(answer["events"]) == 1201
    assert list(answer["earliest"]) == ["series"]
    assert answer["earliest"]["series"].startswith("2030-01-10")


def staged(event_id: str, base_id: str | None = None, **details: Any) -> Row:
    return {"google_event_id": event_id, "base_event_id": base_id or event_id, "details": {"id": event_id, **details}}


def stage(db: Database, calendar: Row, claim: Row, items: list[Row], is_first: bool = False) -> bool:
    arguments = {"p_items": Jsonb(items), "p_is_first": is_first, "p_lease_seconds": 0}
    return bool(db.value("stage_items", p_calendar_id=calendar["id"], p_fence=claim["fence"], **arguments))


def read_all(db: Database, calendar: Row, claim: Row, limit: int) -> list[list[str]]:
    lots, after = [], ""
    while after is not None:
        found = db.value(
            "read_staged_items",
            p_calendar_id=calendar["id"],
            p_fence=claim["fence"],
            p_after=after,
            p_limit=limit,
        )
        lots.append([item["id"] for item in found["items"]])
        after = found["last"]
    return lots[:-1]


def test_staged_items_are_read_in_whole_families_of_their_latest_version(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    assert stage(db, calendar, claim, [staged("left over")], is_first=True)
    items = [staged(f"b_{number}", "b") for number in range(4)]
    assert stage(db, calendar, claim, [staged("c", title="old"), *items], is_first=True)
    assert stage(db, calendar, claim, [staged("a"), staged("c", title="new"), staged("d")])
    assert read_all(db, calendar, claim, 2) == [["a"], ["b_0", "b_1", "b_2", "b_3"], ["c", "d"]]
    title = "select details ->> 'title' as title from public.calendar_staged_items where google_event_id = 'c'"
    assert db.rows(title) == [{"title": "new"}]


def test_a_lot_of_a_long_listing_reads_little_more_than_itself(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    # Nothing is known of the table yet, as in a first sync.
    for number in range(10):
        assert stage(db, calendar, claim, [staged(f"{number}{item:03}") for item in range(300)], is_first=number == 0)
    read = "select seq_tup_read + idx_tup_fetch as rows from pg_stat_xact_user_tables where relname = %s"
    arguments = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"], "p_after": "4", "p_limit": 100}

    def rows_read() -> int:
        (row,) = db.service.execute(read.encode(), ["calendar_staged_items"]).fetchall()
        return row["rows"] or 0

    with db.service.transaction():
        before = rows_read()
        assert len(db.value("read_staged_items", **arguments)["items"]) == 100
        assert rows_read() - before <= 300


def test_a_bare_tombstone_is_staged_with_the_family_the_mirror_knows(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar, part(events=[event("opaque", base_event_id="series", kind="exception")]))
    claim = db.claim_one(calendar)
    stage(db, calendar, claim, [staged("opaque", status="cancelled"), staged("series")], is_first=True)
    assert read_all(db, calendar, claim, 10) == [["opaque", "series"]]


def test_nothing_is_staged_past_its_fence_and_nothing_outlives_the_commit(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar, lease=0)
    stage(db, calendar, claim, [staged("a")], is_first=True)
    again = db.claim_one(calendar)
    assert not stage(db, calendar, claim, [staged("b")])
    assert read_all(db, calendar, again, 10) == []
    db.commit(again, part())
    assert db.rows("select 1 from public.calendar_staged_items") == []


def test_a_series_that_is_cut_stays_so_until_it_is_derived_whole(db: Database) -> None:
    calendar = db.calendar()

    def cut() -> tuple[list[str], int]:
        rows = db.rows("select google_event_id from public.calendar_events where is_cut order by 1")
        return [row["google_event_id"] for row in rows], db.calendar_row(calendar["id"])["series_cut"]

    db.sync(calendar, part(events=[event("a"), event("b"), event("c")], cut=["a", "b"]))
    assert cut() == (["a", "b"], 2)
    rolling = {"p_horizon_until": "2030-04-01Z", "p_is_last": True, "p_lease_seconds": 60}
    claim = db.claim_one(calendar)
    db.call(
        "commit_roll", p_calendar_id=calendar["id"], p_fence=claim["fence"], p_part=part(events=[event("a")]), **rolling
    )
    assert cut() == (["a", "b"], 2)
    db.sync(calendar, part(events=[event("a")]))
    assert cut() == (["b"], 1)


def test_what_enters_next_stands_on_the_rows_and_the_first_of_it_on_the_calendar(db: Database) -> None:
    calendar = db.calendar()

    def entries() -> tuple[dict[str, str | None], str | None]:
        rows = db.rows("select google_event_id, enters_at from public.calendar_events order by 1")
        first = db.calendar_row(calendar["id"])["next_entry_at"]
        return {row["google_event_id"]: row["enters_at"] and f"{row['enters_at']:%m-%d}" for row in rows}, (
            first and f"{first:%m-%d}"
        )

    family = [event("a"), event("a_1")]
    db.sync(calendar, part(events=[*family, event("b")], entering={"a": "2030-03-05Z", "b": "2030-03-09Z"}))
    assert entries() == ({"a": "03-05", "a_1": None, "b": "03-09"}, "03-05")
    # A delta names one member; the whole family is derived.
    db.sync(calendar, part(events=[event("a_1")], entering={"a_1": "2030-03-07Z"}))
    assert entries() == ({"a": None, "a_1": "03-07", "b": "03-09"}, "03-07")
    db.sync(calendar, part(events=[event("a")], forgotten=["a_1"]))
    assert entries() == ({"a": None, "b": "03-09"}, "03-09")
    db.sync(calendar, part(events=[event("a")]), is_full=True)
    assert entries() == ({"a": None}, None)
