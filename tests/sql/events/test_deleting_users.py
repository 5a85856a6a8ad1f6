"""Deleting a user while the feed is sent: events are taken in the order of their ids, and then their deliveries."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from tests.sql.accounts.deleting import being_deleted, delete
from tests.sql.bots.following import impatient
from tests.sql.database import Connection, Database, Row, call, in_background
from tests.sql.events.feed import claim, last, subscribe


def event_ids(db: Database, *calendars: Row) -> list[int]:
    """An event of each of these calendars, in this order."""
    db.admin.execute("delete from public.change_events")
    told = {"type": "calendar.lost", "data": Jsonb({})}
    return [
        db.insert("change_events", user_id=each["user_id"], calendar_id=each["id"], order_key=each["id"], **told)["id"]
        for each in calendars
    ]


def free(by: Connection, table: str, column: str, ids: list[int]) -> set[int]:
    query = f"select {column} as id from public.{table} where {column} = any (%s) for key share skip locked"
    return {row["id"] for row in by.execute(query.encode(), (ids,)).fetchall()}


def test_a_deletion_takes_the_events_of_all_calendars_in_the_order_of_their_ids(db: Database) -> None:
    alice = db.user()
    one, other = db.calendar(alice), db.calendar(alice)
    first, second, third, fourth = ids = event_ids(db, one, other, one, other)
    blocker = db.another()
    with blocker.transaction(force_rollback=True):
        blocker.execute("select 1 from public.change_events where id = %s for key share", (second,))
        deleted = in_background(lambda: delete(db, alice))
        db.await_waiting()
        assert free(db.another(), "change_events", "id", ids) == {second, third, fourth}
    deleted.result(60)
    assert first not in {row["id"] for row in db.rows("select id from public.change_events")}


def deliveries(db: Database, *states: tuple[str, int]) -> tuple[str, list[int]]:
    """Of one key, state and position of each; the last of them was laid out first."""
    subscription = subscribe(db)
    calendar = db.calendar()
    ids = event_ids(db, *[calendar for _ in states])
    for event_id, (state, position) in reversed(list(zip(ids, states, strict=True))):
        row = {"subscription_id": subscription, "order_key": calendar["id"], "attempts": int(state == "pending")}
        db.insert("event_deliveries", event_id=event_id, state=state, position=position, **row)
    return subscription, ids


def test_who_removes_a_subscription_takes_its_deliveries_in_the_order_of_their_events(db: Database) -> None:
    subscription, ids = deliveries(db, ("pending", 1), ("delivered", 2), ("dead", 3))
    removing, blocker = db.another(), db.another()
    with blocker.transaction(force_rollback=True):
        blocker.execute("select 1 from public.event_deliveries where event_id = %s for key share", (ids[1],))
        removed = in_background(lambda: call(removing, "remove_event_subscription", p_subscription_id=subscription))
        db.await_waiting()
        assert free(db.another(), "event_deliveries", "event_id", ids) == set(ids[1:])
    assert removed.result(60)[0]["remove_event_subscription"] is True


def test_a_failed_delivery_puts_off_what_waits_behind_it_in_the_order_of_the_events(db: Database) -> None:
    subscription, ids = deliveries(db, ("pending", 30), ("pending", 20), ("pending", 10))
    recording, blocker = db.another(), db.another()
    end = {"state": "pending", "status": 500, "duration_ms": 5, "next_seconds": 60}
    arguments = {"p_subscription_id": subscription, "p_event_id": ids[2], "p_attempt": 1, "p_end": end}
    query = "select event_id from public.event_deliveries where event_id = any (%s) for update skip locked"
    with blocker.transaction(force_rollback=True):
        blocker.execute("select 1 from public.event_deliveries where event_id = %s for update", (ids[1],))
        recorded = in_background(lambda: call(recording, "record_event_delivery", **arguments))
        db.await_waiting()
        assert [row["event_id"] for row in db.rows(query, ids)] == [ids[2]]
    assert recorded.result(60)[0]["record_event_delivery"] is True


def test_what_is_being_erased_holds_up_only_who_is_told_of_it(db: Database) -> None:
    """Each of them is told of what comes after it when it is gone, or of it too if it stays after all."""
    subscriptions = [subscribe(db), subscribe(db, types=["calendar.lost"])]
    erased, other = db.calendar(), db.calendar(db.user("bob"))
    event_ids(db, erased, other)
    db.admin.execute(
        "update public.change_events set type = 'calendar.regained' where calendar_id = %s", (erased["id"],)
    )
    last(db)
    with being_deleted(db, erased["user_id"]):
        assert [each["subscription_id"] for each in claim(db, by=impatient(db))] == subscriptions[1:]
    assert [each["subscription_id"] for each in claim(db)] == subscriptions[:1] * 2
