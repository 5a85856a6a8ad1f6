"""A released migration never changes: supabase/released.sha256 holds its checksum, and stands before all others."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.released_migrations import problems
from tests.workflows.cron_service import ROOT

RELEASED = ROOT / "supabase" / "released.sha256"
MIGRATIONS = ROOT / "supabase" / "migrations"


def test_released_migrations_are_as_they_were() -> None:
    assert problems(RELEASED, MIGRATIONS) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: folder, []),
        (lambda folder: (folder / "2_b.sql").write_text("select 2"), []),
        (lambda folder: (folder / "1_a.sql").write_text("select 3"), ["1_a.sql was released and has changed"]),
        (lambda folder: (folder / "1_a.sql").unlink(), ["1_a.sql was released and is gone"]),
        (lambda folder: (folder / "0_c.sql").write_text("select 0"), ["a migration stands before"]),
    ],
)  # fmt: skip
def test_a_released_file_that_changes_goes_or_is_overtaken_is_named(
    tmp_path: Path, change: object, said: list[str]
) -> None:
    (tmp_path / "1_a.sql").write_text("select 1")
    released = tmp_path / "released.sha256"
    released.write_text(f"# checksum  file\n{hashlib.sha256(b'select 1').hexdigest()}  1_a.sql\n")
    assert callable(change)
    change(tmp_path)
    found = problems(released, tmp_path)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=False))
    assert bool(found) == bool(said)


def freeze(supabase: Path, *more: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "scripts" / "freeze_migrations"), "--supabase", str(supabase), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    return done.returncode, done.stderr


def test_a_release_freezes_what_is_new_and_refuses_what_has_changed(tmp_path: Path) -> None:
    migrations, released = tmp_path / "migrations", tmp_path / "released.sha256"
    migrations.mkdir()
    released.write_text("# head\n")
    (migrations / "1_a.sql").write_text("select 1")
    assert freeze(tmp_path, "--check") == (1, "not frozen: 1_a.sql\n")
    assert freeze(tmp_path) == (0, "")
    first = f"# head\n{hashlib.sha256(b'select 1').hexdigest()}  1_a.sql\n"
    assert released.read_text() == first

    (migrations / "2_b.sql").write_text("select 2")
    (migrations / "1_a.sql").write_text("select 3")
    code, said = freeze(tmp_path)
    assert (code, released.read_text()) == (1, first)
    assert said.startswith("1_a.sql was released and has changed")

    (migrations / "1_a.sql").write_text("select 1")
    assert freeze(tmp_path) == (0, "")
    assert released.read_text() == f"{first}{hashlib.sha256(b'select 2').hexdigest()}  2_b.sql\n"
    assert freeze(tmp_path, "--check") == (0, "")
