"""A released migration never changes: supabase/released.sha256 holds its checksum, and stands before all others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.workflows.cron_service import ROOT

RELEASED = ROOT / "supabase" / "released.sha256"
MIGRATIONS = ROOT / "supabase" / "migrations"


def problems(released: Path, migrations: Path) -> list[str]:
    """What is wrong with a checkout's released migrations, one line each."""
    lines = [line.split() for line in released.read_text().splitlines() if line and not line.startswith("#")]
    found = []
    for digest, name in lines:
        path = migrations / name
        if not path.is_file():
            found.append(f"{name} was released and is gone")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"{name} was released and has changed: add a migration after it instead")
    names = [name for _, name in lines]
    if sorted(path.name for path in migrations.glob("*.sql"))[: len(names)] != names:
        found.append("a migration stands before one that was released")
    return found


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
