"""The database explains itself: everything of ours in it has a comment, and docs/sql.md is what the catalog says."""

from __future__ import annotations

import subprocess
import sys

from tests.sql.database import Database
from tests.workflows.cron_service import ROOT

UNSAID = """
select format('%s %s.%s', c.relkind, n.nspname, c.relname) as name from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'calendar_internal') and c.relkind in ('r', 'v') and obj_description(c.oid) is null
union all
select format('column %s.%s', a.attrelid::regclass, a.attname) from pg_attribute a
join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'calendar_internal') and c.relkind in ('r', 'v') and a.attnum > 0
  and not a.attisdropped and col_description(a.attrelid, a.attnum) is null
union all
select format('function %s', p.oid::regprocedure) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'calendar_internal') and obj_description(p.oid, 'pg_proc') is null
order by 1
"""


def test_every_table_column_view_and_function_has_a_comment(db: Database) -> None:
    assert [row["name"] for row in db.rows(UNSAID)] == []


def test_the_page_and_the_comments_are_what_the_command_writes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "document_sql"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")
