"""What Supabase's Realtime is given, and what of it a signed-in user gets.

Realtime itself does not run here. It reads the tables of the publication from a logical replication slot, matches each
row with the subscriber's policies, and leaves out every column that their role may not select.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from scripts.stack import migrate
from scripts.stack.supabase import LocalSupabase
from tests.sql.conftest import Scratch
from tests.sql.database import Database, connect, meeting, part

PUBLISHED = {"meetings", "calendar_webhooks", "user_notifications"}
TABLES = "select tablename from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = 'public'"


@pytest.fixture
def bare(scratch: Scratch) -> Iterator[Database]:
    """Not migrated yet."""
    db = Database(*scratch.create())
    yield db
    db.close()


def published(db: Database) -> list[str]:
    return sorted(row["tablename"] for row in db.rows(TABLES))


def test_published_tables_are_the_ones_a_user_may_follow(bare: Database) -> None:
    migrate.apply(bare.postgres_url)
    assert published(bare) == sorted(PUBLISHED)


def test_what_was_published_before_stays_so_and_the_rest_joins(bare: Database) -> None:
    bare.admin.execute("create table public.theirs (id int primary key)")
    (foundation,) = [each for each in migrate.find_migrations() if each.path.name.endswith("_foundation.sql")]
    migrate.apply(bare.postgres_url, until=foundation.version)
    bare.admin.execute("alter publication supabase_realtime add table public.theirs, public.meetings")
    migrate.apply(bare.postgres_url)
    assert published(bare) == sorted(PUBLISHED | {"theirs"})


@pytest.mark.parametrize(
    "prepare",
    [
        "drop publication supabase_realtime",
        "drop publication supabase_realtime; create publication supabase_realtime for all tables",
    ],
)
def test_nothing_is_made_where_there_is_no_list_of_tables_to_join(bare: Database, prepare: str) -> None:
    bare.admin.execute(prepare.encode())
    before = bare.rows("select pubname, puballtables from pg_publication")
    migrate.apply(bare.postgres_url)
    assert bare.rows("select pubname, puballtables from pg_publication") == before


def test_publication_of_another_role_stops_no_migration(bare: Database) -> None:
    bare.admin.execute("alter publication supabase_realtime owner to supabase_admin")
    migrate.apply(bare.postgres_url)
    assert published(bare) == []
    assert bare.rows("select 1 from public.meetings") == []


def test_slot_carries_changes_of_the_published_tables_and_of_no_other(db: Database) -> None:
    alice = db.user()
    db.admin.execute("select pg_create_logical_replication_slot('watched', 'pgoutput')")
    try:
        db.credentials(alice, "v1.hidden-refresh-token")
        calendar = db.calendar(alice)
        db.channel(calendar)
        db.sync(calendar, part([meeting()]))
        # This one is flushed at its commit, and with it all before: a slot gives only what is flushed.
        db.admin.execute("set synchronous_commit = on")
        db.insert("user_notifications", user_id=alice, kind="calendar_lost", reason="gone", message="It is gone.")
        changes = db.rows(
            "select data from pg_logical_slot_get_binary_changes('watched', null, null,"
            " 'proto_version', '1', 'publication_names', 'supabase_realtime')"
        )
    finally:
        db.admin.execute("select pg_drop_replication_slot('watched')")
    messages = [bytes(change["data"]) for change in changes]
    # "R", the relation's oid, then its schema and its name, each ended by a zero byte.
    named = {message[5:].split(b"\0")[1].decode() for message in messages if message[:1] == b"R"}
    assert named == PUBLISHED
    assert not [message for message in messages if b"hidden-refresh-token" in message]


@pytest.mark.parametrize(("column", "status"), [("initial_sync", 200), ("sync_token", 403), ("*", 403)])
def test_api_keeps_a_calendars_sync_token_from_its_user(
    supabase: LocalSupabase, db: Database, column: str, status: int
) -> None:
    alice = db.user()
    db.calendar(alice, sync_token="hidden-sync-token")
    headers = {"apikey": supabase.anon_key, "Authorization": f"Bearer {supabase.user_jwt(alice)}"}
    answer = httpx.get(f"{supabase.url}/rest/v1/calendar_webhooks?select={column}", headers=headers, timeout=60)
    assert answer.status_code == status, answer.text
    assert "hidden" not in answer.text


def test_deletion_tells_the_key_alone(db: Database) -> None:
    """A deleted row is matched with no policy, so its replica identity must be its key."""
    found = db.rows(
        "select relname, relreplident::text as identity from pg_class where relnamespace = 'public'::regnamespace"
        " and relname = any (%s)",
        sorted(PUBLISHED),
    )
    assert {row["relname"]: row["identity"] for row in found} == dict.fromkeys(PUBLISHED, "d")


def test_published_tables_are_under_row_level_security(db: Database) -> None:
    with connect(db.postgres_url) as owner, owner.transaction(force_rollback=True):
        owner.execute("set local role authenticated")
        for table in sorted(PUBLISHED):
            assert owner.execute(f"select id from public.{table}".encode()).fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("select sync_token from public.calendar_webhooks")
