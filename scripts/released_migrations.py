"""The migrations of released versions, whose checksums stand in supabase/released.sha256. Called by
`scripts/freeze_migrations` and by the test that holds them unchanged."""

from __future__ import annotations

import hashlib
from pathlib import Path


def listed(released: Path) -> list[tuple[str, str]]:
    """(sha256, file name) in the order of the list."""
    lines = [line.split() for line in released.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")]
    return [(digest, name) for digest, name in lines]


def problems(released: Path, migrations: Path) -> list[str]:
    """What is wrong with a checkout's released migrations, one line each."""
    found = []
    for digest, name in listed(released):
        path = migrations / name
        if not path.is_file():
            found.append(f"{name} was released and is gone")
        elif _digest(path) != digest:
            found.append(f"{name} was released and has changed: add a migration after it instead")
    names = [name for _, name in listed(released)]
    if sorted(path.name for path in migrations.glob("*.sql"))[: len(names)] != names:
        found.append("a migration stands before one that was released")
    return found


def unfrozen(released: Path, migrations: Path) -> list[Path]:
    """Migrations that are in no release, in order."""
    names = {name for _, name in listed(released)}
    return [path for path in sorted(migrations.glob("*.sql")) if path.name not in names]


def frozen(paths: list[Path]) -> str:
    """Their lines of the list, as `sha256sum` writes them."""
    return "".join(f"{_digest(path)}  {path.name}\n" for path in paths)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
