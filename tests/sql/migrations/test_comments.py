"""The database explains itself: everything of ours in it has a comment, and docs/sql.md is what the catalog says."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import migrate
from scripts.stack.migrate import find_migrations
from tests.sql.conftest import Scratch
from tests.sql.database import Database
from tests.workflows.cron_service import ROOT

UNSAID = """
select format('%s %s.%s', c.relkind, n.nspname, c.relname) as name from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'calendar_internal') and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
  and obj_description(c.oid, 'pg_class') is null
union all
select format('column %s.%s', a.attrelid::regclass, a.attname) from pg_attribute a
join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'calendar_internal') and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0
  and not a.attisdropped and col_description(a.attrelid, a.attnum) is null
union all
select format('function %s', p.oid::regprocedure) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'calendar_internal') and obj_description(p.oid, 'pg_proc') is null
union all
select format('trigger %s on %s', t.tgname, t.tgrelid::regclass) from pg_trigger t
join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'calendar_internal') and not t.tgisinternal
  and obj_description(t.oid, 'pg_trigger') is null
union all
select format('policy %s on %s', p.polname, p.polrelid::regclass) from pg_policy p
join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'calendar_internal') and obj_description(p.oid, 'pg_policy') is null
union all
select format('type %s', t.oid::regtype) from pg_type t join pg_namespace n on n.oid = t.typnamespace
left join pg_class c on c.oid = t.typrelid
where n.nspname in ('public', 'calendar_internal') and (t.typtype in ('e', 'd') or c.relkind = 'c')
  and obj_description(t.oid, 'pg_type') is null
union all
select format('schema %s', n.nspname) from pg_namespace n
where n.nspname = 'calendar_internal' and obj_description(n.oid, 'pg_namespace') is null
order by 1
"""


@pytest.fixture
def fresh(scratch: Scratch) -> Iterator[Database]:
    """A database of its own: other tests may have left something of theirs in the shared one."""
    admin_url, owner_url = scratch.create()
    migrate.apply(owner_url)
    db = Database(admin_url, owner_url)
    yield db
    db.close()


def test_everything_of_ours_has_a_comment(fresh: Database) -> None:
    assert [row["name"] for row in fresh.rows(UNSAID)] == []


def test_the_page_and_the_comments_are_what_the_command_writes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "document_sql"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_modules_of_the_store_name_sql_that_is_there() -> None:
    named = {
        (module.name, subject)
        for module in (ROOT / "sync" / "clients" / "store").rglob("*.py")
        for subject in re.findall(r"SQL: (\w+)", module.read_text())
    }
    assert len(named) > 10
    known = {migration.name for migration in find_migrations()}
    assert {(module, subject) for module, subject in named if subject not in known} == set()


LATER = """-- Answers one.
create or replace function public.answer_one() returns integer
language sql security invoker set search_path = ''
as $$ select 1 $$;
"""


def test_after_a_release_a_new_function_is_explained_where_it_stands_and_nothing_released_changes(
    tmp_path: Path,
) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("scripts", "supabase", "sync", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    migrations = tmp_path / "supabase" / "migrations"
    frozen = {path.name: path.read_bytes() for path in sorted(migrations.glob("*.sql"))}
    # As a change of mind about a released function's comment would have it.
    name = next(name for name in frozen if name.endswith("_operations.sql"))
    frozen[name] = frozen[name].replace(b"-- One step through the sync logs", b"-- A step through the sync logs", 1)
    (migrations / name).write_bytes(frozen[name])
    listed = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in frozen.items())
    (tmp_path / "supabase" / "released.sha256").write_text(listed)
    later = migrations / "20270101000000_pre_answer.sql"
    later.write_text(LATER)
    command = [sys.executable, str(tmp_path / "scripts" / "document_sql")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name: path.read_bytes() for path in migrations.glob("*.sql") if path != later} == frozen
    assert "comment on function public.answer_one is 'Answers one.';\n" in later.read_text()
    assert "### answer_one\n" in (tmp_path / "docs" / "sql.md").read_text()
