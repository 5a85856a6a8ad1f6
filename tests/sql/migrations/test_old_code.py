"""What is kept for the original code until the adoption is finished: its statements, beside the service's."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sync.adoption import FINISH, KEEP_OLD_CODE
from tests.sql.conftest import Scratch
from tests.sql.database import connect, meeting, part
from tests.sql.migrations.originals import ALICE, ROWS, Original
from tests.sql.migrations.shape import SHAPE
from tests.sql.migrations.upgrade import Upgrade

MEETING = """
insert into meetings (user_id, google_calendar_event_id, title, meeting_url, start_time, end_time)
values (%s, %s, 'Of the old code', 'https://zoom.us/j/1', '2030-01-15 12:00+0', '2030-01-15 13:00+0')
on conflict (user_id, google_calendar_event_id) do update set title = excluded.title
"""
CALENDAR = """
insert into calendar_webhooks (user_id, webhook_id, resource_id, expiration_time)
values (%s, 'old', 'old', '2040-01-01')
on conflict (user_id) do update set webhook_id = excluded.webhook_id
"""
LOG = "insert into calendar_sync_logs (user_id, sync_type, status) values (%s, 'webhook', 'success')"
UNIQUE = (
    "alter table calendar_webhooks add unique (user_id);"
    "alter table meetings add unique (user_id, google_calendar_event_id);"
)


@pytest.fixture
def kept(scratch: Scratch) -> Iterator[Upgrade]:
    upgraded = Upgrade(Original("with upserts", UNIQUE), scratch)
    with connect(upgraded.owner_url) as owner:
        owner.execute(KEEP_OLD_CODE.read_bytes())
    yield upgraded
    upgraded.db.close()


def test_old_upserts_and_our_syncs_write_the_same_rows(kept: Upgrade) -> None:
    db = kept.db
    calendar = kept.calendar()
    for _ in range(2):
        db.service.execute(MEETING, [ALICE, "fresh"])
        db.service.execute(CALENDAR, [ALICE])
        db.service.execute(LOG, [ALICE])
    answer = db.sync(calendar, part([meeting("event"), meeting("fresh", title="Ours")]), is_full=True)
    assert answer["committed"] is True
    db.service.execute(MEETING, [ALICE, "event"])
    titles = {row["google_calendar_event_id"]: row["title"] for row in db.meetings(calendar)}
    assert (titles["fresh"], titles["event"]) == ("Ours", "Of the old code")
    # What the old code overwrote is ours again at the next listing.
    db.sync(calendar, part([meeting("event", title="Standup")]))
    assert {row["title"] for row in db.meetings(calendar) if row["google_calendar_event_id"] == "event"} == {"Standup"}


def test_until_the_end_a_user_has_one_calendar_and_then_many(kept: Upgrade) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        kept.connect(ALICE)
    with connect(kept.owner_url) as owner:
        owner.execute(FINISH.read_bytes())
    kept.exercise()


def test_the_end_leaves_the_schema_as_the_migrations_made_it(scratch: Scratch) -> None:
    upgraded = Upgrade(Original("with upserts", UNIQUE), scratch)
    before = upgraded.db.rows(SHAPE)
    with connect(upgraded.owner_url) as owner:
        for script in (KEEP_OLD_CODE, KEEP_OLD_CODE, FINISH, FINISH):
            owner.execute(script.read_bytes())
    assert upgraded.db.rows(SHAPE) == before
    upgraded.db.close()


def test_it_does_not_end_while_the_old_code_runs(kept: Upgrade) -> None:
    kept.db.service.execute(LOG, [ALICE])
    before = kept.db.rows(SHAPE)
    with connect(kept.owner_url) as owner, pytest.raises(psycopg.Error, match="still runs"):
        owner.execute(FINISH.read_bytes())
    assert kept.db.rows(SHAPE) == before


def test_what_the_data_do_not_allow_is_not_kept(scratch: Scratch) -> None:
    twice = ROWS.split("insert into calendar_sync_logs")[0].split("insert into meetings")[1]
    upgraded = Upgrade(Original("twice", rows=f"insert into meetings{twice}"), scratch)
    with connect(upgraded.owner_url) as owner:
        owner.execute(KEEP_OLD_CODE.read_bytes())
        found = owner.execute("select relname from pg_class where relname like 'adoption_%' order by 1").fetchall()
    assert [row["relname"] for row in found] == ["adoption_one_calendar_per_user"]
    upgraded.db.close()
