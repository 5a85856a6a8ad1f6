"""The migrations on an empty project, as the owner of a hosted database: no superuser, no grants to lean on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import migrate
from scripts.stack.migrate import find_migrations
from tests.sql.conftest import Scratch
from tests.sql.database import Database, connect
from tests.sql.migrations.shape import SHAPE, run_text

FILES = [migration.path for migration in find_migrations()]


@pytest.fixture(scope="module")
def fresh(scratch: Scratch) -> Iterator[Database]:
    admin_url, owner_url = scratch.create()
    migrate.apply(owner_url)
    db = Database(admin_url, owner_url)
    yield db
    db.close()


def test_owner_that_migrates_is_no_superuser(fresh: Database) -> None:
    with connect(fresh.postgres_url) as owner:
        row = owner.execute("select current_user::text as name, rolsuper from pg_roles where rolname = current_user")
        assert row.fetchone() == {"name": "postgres", "rolsuper": False}
    owners = fresh.rows("select distinct tableowner from pg_tables where schemaname = 'public'")
    assert owners == [{"tableowner": "postgres"}]


def test_running_the_sql_itself_again_changes_nothing(fresh: Database) -> None:
    shape = fresh.rows(SHAPE)
    assert len(shape) > 200
    run_text(fresh.postgres_url)
    assert fresh.rows(SHAPE) == shape


def test_every_table_has_row_level_security(fresh: Database) -> None:
    tables = fresh.rows("select relname, relrowsecurity as on from pg_class where relnamespace = 'public'::regnamespace"
                        " and relkind in ('r', 'p')")  # fmt: skip
    assert len(tables) >= 6
    assert [table["relname"] for table in tables if not table["on"]] == []


def test_every_function_runs_as_its_caller_with_an_empty_search_path(fresh: Database) -> None:
    functions = fresh.rows(
        "select oid::regprocedure::text as name, prosecdef, proconfig from pg_proc"
        " where pronamespace in ('public'::regnamespace, 'calendar_internal'::regnamespace)"
    )
    assert len(functions) >= 20
    assert [row["name"] for row in functions if 'search_path=""' not in (row["proconfig"] or [])] == []
    assert {row["name"] for row in functions if row["prosecdef"]} == {
        # They lock rows of auth.users, which nobody but the owner may, and tell nothing but that they are there.
        "calendar_internal.hold_free_user(uuid)",
        "calendar_internal.hold_user(uuid)",
        # Triggers: they add marks for bots, and write the feed, for whoever may change a row; nobody calls them.
        "calendar_internal.mark_changed_meetings()",
        "calendar_internal.mark_forsaken_requests()",
        "calendar_internal.mark_new_meetings()",
        "calendar_internal.mark_users_meetings()",
        "calendar_internal.tell_added_meetings()",
        "calendar_internal.tell_changed_meetings()",
        "calendar_internal.tell_deleted_meetings()",
        "calendar_internal.tell_changed_calendar()",
        "calendar_internal.tell_deleted_calendars()",
    }


def test_every_view_runs_as_its_caller(fresh: Database) -> None:
    views = fresh.rows(
        "select relname, reloptions from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'"
    )
    assert [view["relname"] for view in views if "security_invoker=true" not in (view["reloptions"] or [])] == []


def test_every_foreign_key_has_an_index_for_its_deletions(fresh: Database) -> None:
    bare = fresh.rows(
        "select conrelid::regclass::text as relation, conname from pg_constraint c where contype = 'f'"
        " and connamespace = 'public'::regnamespace and not exists ("
        "  select 1 from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1]"
        "  and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', (select attname"
        "    from pg_attribute where attrelid = c.conrelid and attnum = c.conkey[1]))))"
    )
    assert bare == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_function_and_view_has_a_comment_that_states_its_guarantee(path: Path) -> None:
    text = path.read_text()
    naked = re.findall(r"(?<!\n)\n\ncreate or replace (?:function|view) ([\w.]+)", text)
    assert naked == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_function_is_taken_from_the_public_and_given_to_the_service(path: Path) -> None:
    text = path.read_text()
    made = set(re.findall(r"^create or replace function ([\w.]+)", text, re.MULTILINE))
    revoked, granted = set[str](), set[str]()
    for names in re.findall(r"^revoke all on function([^;]+?)from public, anon, authenticated;", text, re.MULTILINE):
        revoked |= set(re.findall(r"[\w]+\.[\w]+", names))
    for names in re.findall(r"^grant execute on function([^;]+?)to service_role;", text, re.MULTILINE):
        granted |= set(re.findall(r"[\w]+\.[\w]+", names))
    assert (made, made) == (revoked, granted)
