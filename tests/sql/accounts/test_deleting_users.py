"""Deleting a user while something of theirs is written: one waits for the other, and neither fails."""

from __future__ import annotations

from tests.sql.database import Database, call, connect, event, facts, in_background, meeting, part


def test_a_user_deleted_during_a_commit_is_gone_after_it(db: Database) -> None:
    """The commit has its calendar and waits for a row when the user is deleted; its inserts come after that."""
    alice = db.user()
    calendar = db.calendar(alice)
    db.sync(calendar, part([meeting("busy", title="Before")]))
    claim = db.claim_one(calendar, lease=600)
    committing, blocker, deleting = db.another(), db.another(), connect(db.admin_url)
    events = [event("busy", status="tentative"), event("new")]
    sync = {**facts(is_full=False), **part([meeting("busy"), meeting("new")], events)}
    arguments = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"], "p_sync": sync}
    with blocker.transaction(force_rollback=True):
        blocker.execute("select 1 from public.calendar_events where google_event_id = 'busy' for update")
        committed = in_background(lambda: call(committing, "commit_sync", **arguments))
        db.await_waiting()
        deleted = in_background(lambda: deleting.execute("delete from auth.users where id = %s", (alice,)))
        db.await_waiting(2)

    assert committed.result(10)[0]["committed"] is True
    deleted.result(10)
    deleting.close()
    for table in ("calendar_webhooks", "meetings", "calendar_sync_logs"):
        assert db.rows(f"select 1 from public.{table} where user_id = %s", alice) == []
