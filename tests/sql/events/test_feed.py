"""The feed has no gaps that are filled later, and of one meeting its order is the order of the changes."""

from __future__ import annotations

import pytest

from tests.sql.database import Database, Row, at_once, call, in_background, meeting, part
from tests.sql.events.feed import claim, end, last, subscribe, told, types


@pytest.fixture
def calendar(db: Database) -> Row:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("a"), meeting("b")]))
    return calendar


def test_what_commits_late_comes_after_what_was_read(db: Database, calendar: Row) -> None:
    """Its id is lower: a cursor over ids would have passed it."""
    slow = db.another()
    mark = last(db)
    with slow.transaction():
        slow.execute("update public.meetings set title = 'Slow' where google_calendar_event_id = 'a'")
        db.service.execute("update public.meetings set title = 'Fast' where google_calendar_event_id = 'b'")
        (fast,) = told(db, after=mark)
    (late,) = told(db, after=fast["position"])

    ids = {row["position"]: row["id"] for row in db.rows("select position, id from change_events")}
    assert ids[late["position"]] < ids[fast["position"]]
    assert types(db, after=mark) == ["meeting.updated", "meeting.updated"]


def test_a_position_that_a_reader_saw_stays_though_an_earlier_id_commits_while_it_is_given(
    db: Database, calendar: Row
) -> None:
    """Two numberings at once: the second waits for the first, and goes on behind it."""
    mark, (slow, first, second) = last(db), (db.another() for _ in range(3))
    read = {"p_after": mark, "p_limit": 10}
    with first.transaction():
        with slow.transaction():
            slow.execute("update public.meetings set title = 'Slow' where google_calendar_event_id = 'a'")
            db.service.execute("update public.meetings set title = 'Fast' where google_calendar_event_id = 'b'")
            (fast,) = call(first, "read_events", **read)[0]["read_events"]["events"]
        later = in_background(lambda: call(second, "read_events", **read)[0]["read_events"]["events"])
        db.await_waiting()
    assert [event["position"] for event in later.result(60)] == [mark + 1, mark + 2]
    assert later.result()[0] == fast


def test_changes_of_one_meeting_are_in_their_order(db: Database, calendar: Row) -> None:
    """The second waits for the first one's lock, and takes its id only then."""
    first, second = db.another(), db.another()
    mark = last(db)
    change = "update public.meetings set title = %s where google_calendar_event_id = 'a'"
    with first.transaction():
        first.execute(change, ("First",))
        later = in_background(lambda: second.execute(change, ("Second",)))
        db.await_waiting()
        first.execute("update public.meetings set description = 'First' where google_calendar_event_id = 'a'")
    later.result(60)

    changed = [event["data"]["changed"] for event in told(db, after=mark)]
    assert changed == [["title"], ["description"], ["title"]]


def test_readers_at_once_number_each_event_once(db: Database, calendar: Row) -> None:
    readers = [db.another() for _ in range(4)]
    for number in range(5):
        db.service.execute("update public.meetings set title = %s", (f"Title {number}",))
    answers = at_once(
        *[
            lambda reader=reader: call(reader, "read_events", p_after=0, p_limit=1000)[0]["read_events"]["events"]
            for reader in readers
        ]
    )

    for events in answers:
        positions = [event["position"] for event in events]
        assert positions == sorted(set(positions))
    assert [event["position"] for event in told(db)] == list(range(1, 14))


def test_positions_go_on_after_the_last_events_were_erased(db: Database, calendar: Row) -> None:
    mark = last(db)
    db.admin.execute("delete from public.change_events")

    db.service.execute("update public.meetings set title = 'After' where google_calendar_event_id = 'a'")

    assert [event["position"] for event in told(db, after=mark)] == [mark + 1]


def test_pages_of_the_feed_meet_each_event_once(db: Database, calendar: Row) -> None:
    seen: list[int] = []
    while page := call(db.service, "read_events", p_after=seen[-1] if seen else 0, p_limit=2)[0]["read_events"][
        "events"
    ]:
        seen += [event["position"] for event in page]

    assert seen == [event["position"] for event in told(db)]


def test_old_events_go_but_for_what_somebody_is_still_to_be_told(db: Database, calendar: Row) -> None:
    subscription = subscribe(db, 0)
    first, second, third = claim(db)
    end(db, first)
    end(db, second, "dead")
    end(db, third, "pending", next_seconds=3600)
    db.admin.execute("update public.change_events set occurred_at = now() - interval '31 days'")

    (step,) = db.call("drop_old_events", p_keep_days=30, p_limit=1000)

    assert (step["seen"], step["dropped"]) == (3, 2)
    assert [event["position"] for event in told(db)] == [third["event"]["position"]]
    assert db.value("read_events", p_after=0, p_limit=0)["dropped"] == 2
    # Of one that is disabled nothing is kept for ever.
    db.value("change_event_subscription", p_subscription_id=subscription, p_changes={"state": "disabled"})
    assert db.call("drop_old_events", p_keep_days=30, p_limit=1000)[0]["dropped"] == 1


def test_what_is_young_or_not_laid_out_yet_is_kept(db: Database, calendar: Row) -> None:
    assert db.call("drop_old_events", p_keep_days=30, p_limit=1000)[0]["dropped"] == 0
    last(db)
    subscribe(db, 0)
    db.admin.execute("update public.change_events set occurred_at = now() - interval '31 days'")
    assert db.call("drop_old_events", p_keep_days=30, p_limit=1000)[0]["dropped"] == 0
