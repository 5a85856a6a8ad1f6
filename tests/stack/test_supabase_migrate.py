"""Migrations are split, applied and recorded as the Supabase CLI does it (test_supabase_cli.py compares the two)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.stack.migrate import MigrationError, apply, find_migrations
from scripts.stack.split_sql import split_statements
from scripts.stack.supabase import LocalSupabase


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" ;; \n", []),
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select ';' ; select 'it''s;'", ["select ';'", "select 'it''s;'"]),
        (r"select E'a\';b'; select 2", [r"select E'a\';b'", "select 2"]),
        ('create table "a;b" (i int); select 1', ['create table "a;b" (i int)', "select 1"]),
        ("-- one; two\nselect 1; select 2", ["-- one; two\nselect 1", "select 2"]),
        ("/* a; /* b; */ c; */ select 1; select 2", ["/* a; /* b; */ c; */ select 1", "select 2"]),
        ("do $$ begin perform 1; end $$; select 1", ["do $$ begin perform 1; end $$", "select 1"]),
        ("do $a$ select '$$;' ; $a$; select $1", ["do $a$ select '$$;' ; $a$", "select $1"]),
        (
            "create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3",
            [
                "create function f() returns int begin atomic select case when true then 1 end; select 2; end",
                "select 3",
            ],
        ),
        ("begin; select 1; end; select 2", ["begin", "select 1", "end", "select 2"]),
    ],
)
def test_semicolons_split_only_between_statements(script: str, statements: list[str]) -> None:
    assert split_statements(script) == statements


@pytest.fixture(scope="module")
def project() -> Iterator[LocalSupabase]:
    with LocalSupabase(migrate=False) as project:
        yield project


@pytest.fixture
def database(project: LocalSupabase) -> Iterator[str]:
    yield project.new_database("scratch")
    project.drop_database("scratch")


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def write(directory: Path, **files: str) -> Path:
    for name, script in files.items():
        (directory / f"{name.removeprefix('v')}.sql").write_text(script)
    return directory


def test_pending_migrations_are_applied_in_order_and_recorded(database: str, tmp_path: Path) -> None:
    write(tmp_path, v10_second="insert into t values (1);", v9_first="create table t (i int);\n\nselect 1;")
    (tmp_path / "notes.sql").write_text("no migration")
    assert [each.version for each in find_migrations(tmp_path)] == ["10", "9"]  # as text: the CLI's order
    (tmp_path / "9_first.sql").rename(tmp_path / "09_first.sql")
    assert apply(database, tmp_path) == ["09", "10"]
    recorded = query(database, "select version, name, statements from supabase_migrations.schema_migrations order by 1")
    assert recorded == [
        ("09", "first", ["create table t (i int)", "select 1"]),
        ("10", "second", ["insert into t values (1)"]),
    ]


def test_second_run_applies_only_what_is_new(database: str, tmp_path: Path) -> None:
    apply(database, write(tmp_path, v1_a="create table t (i int)"))
    assert apply(database, tmp_path) == []
    assert apply(database, write(tmp_path, v2_b="create table u (i int)")) == ["2"]


def test_until_stops_after_that_version(database: str, tmp_path: Path) -> None:
    write(tmp_path, v1_a="create table t (i int)", v2_b="drop table t")
    assert apply(database, tmp_path, until="1") == ["1"]
    assert apply(database, tmp_path) == ["2"]


def test_failing_migration_leaves_nothing_of_itself(database: str, tmp_path: Path) -> None:
    write(tmp_path, v1_good="create table t (i int)", v2_bad="create table u (i int); select 1 / 0;")
    with pytest.raises(MigrationError, match=r"2_bad\.sql: division by zero"):
        apply(database, tmp_path)
    assert query(database, "select to_regclass('t') is null, to_regclass('u') is null") == [(False, True)]
    assert query(database, "select version from supabase_migrations.schema_migrations") == [("1",)]


def test_session_settings_do_not_leak_into_the_next_migration(database: str, tmp_path: Path) -> None:
    write(tmp_path, v1_a="set search_path = extensions; set statement_timeout = 1", v2_b="create table t (i int)")
    apply(database, tmp_path)
    assert query(database, "select 'public.t'::regclass::text") == [("t",)]


def test_migrations_run_as_postgres_not_as_superuser(database: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="permission denied"):
        apply(database, write(tmp_path, v1_a="create role boss superuser"))


def test_migrated_databases_are_copies_of_one_template(tmp_path: Path) -> None:
    write(tmp_path, v1_a="create table t (i int); insert into t values (1)")
    with LocalSupabase(migrations_directory=tmp_path) as project:
        first, second = project.new_database("first", migrate=True), project.new_database("second", migrate=True)
        with psycopg.connect(first) as connection:
            connection.execute("insert into t values (2)")
        assert query(first, "select i from t order by i") == [(1,), (2,)]
        assert query(second, "select i from t") == [(1,)]
        assert query(project.postgres_url, "select i from t") == [(1,)]
        assert apply(second, tmp_path) == []


def test_failing_migration_stops_the_start_and_leaves_nothing_running(tmp_path: Path) -> None:
    project = LocalSupabase(migrations_directory=write(tmp_path, v1_bad="select 1 / 0"))
    with pytest.raises(MigrationError):
        project.start()
    assert project.children.ended() is None
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(project.postgres_url)
