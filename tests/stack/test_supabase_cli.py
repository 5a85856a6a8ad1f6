"""Supabase's own CLI accepts this checkout and the local database: configuration, migrations, seed, advisors.

Also proves that `scripts.stack.migrate` records what the CLI records, so that either may continue after the other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.stack.children import StackError
from scripts.stack.downloads import FETCH_SECONDS, SUPABASE_CLI, fetch
from scripts.stack.migrate import MIGRATIONS, apply
from scripts.stack.supabase import LocalSupabase
from sync.adoption import carry_out, plan_adoption
from tests.sql.migrations.originals import ALICE, BOB, ROWS, SCHEMA

# The CLI is downloaded where it is not in the cache, and a Node before it where there is no npm.
pytestmark = pytest.mark.timeout(2 * FETCH_SECONDS + 120)

TRICKY = r"""-- one; comment
create table public.t (id int primary key, "odd;name" text default 'a;''b');
/* a; /* nested; */ comment */
alter table public.t enable row level security;
create function public.f() returns int language sql set search_path = '' begin atomic
  select case when true then 1 end; select 2; end;
do $body$ begin perform ';'; /* ; */ end $body$ ;
comment on table public.t is E'it\'s; fine';
;
-- the end
"""
HISTORY = "select version, name, statements from supabase_migrations.schema_migrations order by version"


@pytest.fixture(scope="module")
def project() -> Iterator[LocalSupabase]:
    with LocalSupabase(migrate=False) as project:
        yield project


@pytest.fixture(scope="module")
def cli() -> Path:
    try:
        return fetch(SUPABASE_CLI)
    except StackError as error:
        pytest.skip(f"the Supabase CLI cannot be installed here: {error}")


class Workdir:
    """A directory as the CLI wants it, holding a copy of some migrations, and the CLI run in it."""

    def __init__(self, cli: Path, directory: Path) -> None:
        self.cli = cli
        self.root = directory
        self.migrations = directory / "supabase" / "migrations"
        self.migrations.mkdir(parents=True)

    def copy(self, migrations: Path) -> None:
        for path in migrations.glob("*.sql"):
            shutil.copy(path, self.migrations)

    def copy_all(self) -> None:
        """As this checkout has it: configuration, seed and migrations."""
        self.copy(MIGRATIONS)
        for name in ("config.toml", "seed.sql"):
            shutil.copy(MIGRATIONS.parent / name, self.root / "supabase")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # --remote with a URL needs no login and no link; --yes answers the question; --agent no keeps output plain.
        command = [str(self.cli), *arguments, "--workdir", str(self.root), "--yes", "--agent", "no"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root), "SUPABASE_TELEMETRY_DISABLED": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def push(self, url: str, *options: str) -> str:
        result = self.run("db", "push", *options, "--remote", url)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def advice(self, url: str) -> list[dict[str, Any]]:
        result = self.run("db", "advisors", "--remote", url, "--level", "warn", "--fail-on", "warn", "-o", "json")
        start, end = result.stdout.find("["), result.stdout.rfind("]")
        found: list[dict[str, Any]] = json.loads(result.stdout[start : end + 1]) if start >= 0 else []
        assert (result.returncode == 0) is (not found), result.stdout + result.stderr
        return found


@pytest.fixture
def workdir(cli: Path, tmp_path: Path) -> Workdir:
    return Workdir(cli, tmp_path)


@pytest.fixture
def database(project: LocalSupabase) -> Iterator[str]:
    yield project.new_database("pushed")
    project.drop_database("pushed")


@pytest.fixture
def other_database(project: LocalSupabase) -> Iterator[str]:
    yield project.new_database("applied")
    project.drop_database("applied")


def history(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(HISTORY).fetchall()


def test_migrations_push_once_and_then_are_up_to_date_and_the_seed_waits_to_be_asked_for(
    workdir: Workdir, database: str
) -> None:
    workdir.copy_all()
    count = "select count(*) from public.meetings"
    assert "Applying migration" in workdir.push(database)
    assert "up to date" in workdir.push(database)
    with psycopg.connect(database) as connection:
        assert connection.execute(count).fetchone() == (0,)
    workdir.push(database, "--include-seed")
    with psycopg.connect(database) as connection:
        assert connection.execute(count).fetchone() == (5,)


def test_configuration_is_known_to_the_cli_key_by_key(workdir: Workdir, database: str) -> None:
    workdir.copy_all()
    said = workdir.push(database, "--dry-run", "--include-seed")
    assert "Would push these migrations" in said
    assert "Would seed these files" in said
    assert "does not recognize" not in said


def test_cli_names_a_key_that_it_does_not_know(workdir: Workdir, database: str) -> None:
    """What the test before relies on."""
    workdir.copy_all()
    with (workdir.root / "supabase" / "config.toml").open("a") as config:
        config.write("[nonsense]\nkey = 1\n")
    assert "does not recognize and ignores: nonsense" in workdir.push(database, "--dry-run")


def test_advisors_find_nothing_in_a_database_filled_by_the_stack_and_it_is_up_to_date_for_the_cli(
    workdir: Workdir, database: str
) -> None:
    workdir.copy(MIGRATIONS)
    apply(database)
    assert "up to date" in workdir.push(database)
    assert [(each["name"], each["detail"]) for each in workdir.advice(database)] == []


def test_advisors_find_a_table_without_row_level_security(workdir: Workdir, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create table public.open (id int); grant select on public.open to anon")
    assert "rls_disabled_in_public" in {each["name"] for each in workdir.advice(database)}


def test_both_record_the_same_history(workdir: Workdir, database: str, other_database: str) -> None:
    workdir.copy(MIGRATIONS)
    (workdir.migrations / "99990101000000_tricky_one.sql").write_text(TRICKY)
    workdir.push(database)
    apply(other_database, workdir.migrations)
    assert history(other_database) == history(database)


def test_database_filled_by_the_cli_is_up_to_date_for_the_stack(workdir: Workdir, database: str) -> None:
    (workdir.migrations / "20260101000000_tricky.sql").write_text(TRICKY)
    workdir.push(database)
    assert apply(database, workdir.migrations) == []


def test_company_pushes_ours_after_its_own_from_its_own_repository(
    workdir: Workdir, database: str, project: LocalSupabase
) -> None:
    """With a history of its own, which a push from our checkout would want repaired; told first what stands there."""
    (workdir.migrations / "20290101000000_calendars.sql").write_text(SCHEMA)
    workdir.push(database)
    with psycopg.connect(project.superuser_url("pushed")) as admin:
        admin.execute("insert into auth.users (id) values (%s), (%s)", [ALICE, BOB])
    with psycopg.connect(database) as owner:
        owner.execute(ROWS.encode())
        owner.execute("alter table meetings add constraint short check (char_length(title) < 90)")
    carry_out(plan_adoption(workdir.migrations))
    refused = workdir.run("db", "push", "--remote", database)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "alter table public.meetings drop constraint short;" in said
    assert len(history(database)) == 1
    with psycopg.connect(database) as owner:
        owner.execute("alter table public.meetings drop constraint short")
    assert "--include-all" not in workdir.push(database)
    assert "up to date" in workdir.push(database)
    carry_out(plan_adoption(workdir.migrations, is_finish=True))
    assert "finish_adoption" in workdir.push(database)
