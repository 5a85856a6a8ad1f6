"""The pgTAP tests under supabase/tests, run as `supabase test db` runs them, and what they must not leave out.

pgTAP is plain SQL: Debian's package of it is read into the embedded Postgres, and nothing is installed. Where the
package cannot be had these tests are skipped and say why; tests/sql/test_access.py holds the same rights without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from scripts.stack import migrate
from scripts.stack.split_sql import split_statements
from tests.sql.conftest import Scratch
from tests.sql.database import Database
from tests.sql.debian import FETCH_SECONDS, PackageUnavailable, unpacked

# The package is downloaded and unpacked where it is not in the cache.
pytestmark = pytest.mark.timeout(2 * FETCH_SECONDS + 120)

PACKAGE = "postgresql-15-pgtap"
FILES = sorted((Path(__file__).parents[2] / "supabase" / "tests" / "database").glob("*.test.sql"))


@dataclass
class Tap:
    """What a test file said: how many tests it planned, how many it ran, and the lines of those that failed."""

    planned: int
    ran: int
    failed: list[str]
    remarks: list[str]


@pytest.fixture(scope="module")
def pgtap() -> str:
    """The extension's SQL, as psql would read it."""
    try:
        root = unpacked(PACKAGE)
    except PackageUnavailable as reason:
        pytest.skip(f"no pgTAP here: {reason}")
    versions = [
        path
        for path in root.rglob("pgtap--*.sql")
        # A version itself, neither a step from one to the next nor a part.
        if re.fullmatch(r"pgtap--\d+\.\d+\.\d+\.sql", path.name)
    ]
    assert len(versions) == 1, versions
    return "\n".join(line for line in versions[0].read_text().splitlines() if not line.startswith("\\"))


@pytest.fixture(scope="module")
def tested(scratch: Scratch, pgtap: str) -> Iterator[Database]:
    """A migrated database with pgTAP where the CLI puts it."""
    admin_url, owner_url = scratch.create()
    migrate.apply(owner_url)
    with psycopg.connect(owner_url) as owner:
        owner.execute("set search_path = extensions")
        owner.execute(pgtap.encode())
    db = Database(admin_url, owner_url)
    yield db
    db.close()


def run(db: Database, script: str) -> Tap:
    """Runs a test file in a session of its own, as the database's owner."""
    lines: list[str] = []
    with psycopg.connect(db.postgres_url, autocommit=True) as connection:
        for statement in split_statements(script):
            cursor = connection.execute(statement.encode())
            if cursor.description:
                lines += [line for (text,) in cursor.fetchall() for line in str(text).splitlines()]
    plans = [int(line.removeprefix("1..")) for line in lines if re.fullmatch(r"1\.\.\d+", line)]
    assert len(plans) == 1, "a test file plans once"
    return Tap(
        planned=plans[0],
        ran=sum(bool(re.match(r"(not )?ok \d+", line)) for line in lines),
        failed=[line for line in lines if line.startswith("not ok")],
        remarks=[line for line in lines if line.startswith("# Looks like")],
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_runs_as_many_tests_as_it_plans_and_all_pass(tested: Database, path: Path) -> None:
    tap = run(tested, path.read_text())
    assert (tap.failed, tap.remarks) == ([], [])
    assert tap.ran == tap.planned > 20


def test_files_leave_nothing_behind(tested: Database) -> None:
    for path in FILES:
        run(tested, path.read_text())
    assert tested.rows("select 1 from auth.users union all select 1 from public.meetings") == []


@pytest.mark.parametrize(
    ("loosen", "file", "told"),
    [
        ("grant select on public.google_credentials to authenticated", "tables", "google_credentials"),
        ("grant select (sync_token) on public.calendar_webhooks to authenticated", "tables", "sync_token"),
        ("alter table public.meetings disable row level security", "rows", "their meetings"),
        ("create policy loose on public.user_notifications for update using (true)", "rows", "nobody else's as read"),
        ("grant execute on function public.erase_user to authenticated", "functions", "erase_user"),
    ],
)
def test_what_is_loosened_is_told(tested: Database, loosen: str, file: str, told: str) -> None:
    (path,) = [each for each in FILES if each.name == f"{file}.test.sql"]
    begin, rest = path.read_text().split("begin;\n", 1)
    tap = run(tested, f"{begin}begin;\n{loosen};\n{rest}")
    assert [line for line in tap.failed if told in line]


def test_every_table_and_view_is_in_the_matrix(db: Database) -> None:
    (path,) = [each for each in FILES if each.name == "tables.test.sql"]
    named = set(re.findall(r"^  \('(\w+)', '", path.read_text(), re.MULTILINE))
    there = db.rows(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p', 'v', 'm', 'f')"
    )
    assert named == {row["relname"] for row in there}, f"supabase/tests/database/{path.name} leaves something out"


def test_machine_without_debians_tools_is_told_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageUnavailable, match="no apt-get"):
        unpacked(PACKAGE)


def test_apts_own_complaint_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, script in {"apt-get": "echo 'E: no such package' >&2; exit 100", "dpkg": "exit 0"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(PackageUnavailable, match="E: no such package"):
        unpacked(PACKAGE)
