"""Applies `supabase/migrations/*.sql` to a database and records them as the Supabase CLI does.

So a database filled here looks up to date to `supabase db push`, and the other way round. Migrations run as the role
of the URL: pass the role `postgres`, never a superuser, or something passes here that fails on the platform.
Called by supabase.py, the tests of the migrations, and by hand: `python -m scripts.stack.migrate URL [DIRECTORY]`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg

from scripts.stack.split_sql import split_statements

MIGRATIONS = Path(__file__).resolve().parents[2] / "supabase" / "migrations"
_FILE_NAME = re.compile(r"^(?P<version>[0-9]+)_(?P<name>.*)\.sql$")
_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""


class MigrationError(RuntimeError):
    """A migration failed and was rolled back as a whole; the message names the file and the database's complaint."""


@dataclass(frozen=True)
class Migration:
    """One file, in the order of its version."""

    version: str
    name: str
    path: Path


def find_migrations(directory: Path = MIGRATIONS) -> list[Migration]:
    """The directory's migrations by version. Files named otherwise are left alone, as the CLI does."""
    named = ((path, _FILE_NAME.match(path.name)) for path in directory.glob("*.sql"))
    found = [Migration(match["version"], match["name"], path) for path, match in named if match]
    return sorted(found, key=lambda migration: migration.version)


def apply(db_url: str, directory: Path = MIGRATIONS, *, until: str | None = None) -> list[str]:
    """Apply what is pending, each file in its own transaction, and return the versions applied.

    `until` stops after that version (for tests of what a later migration does to existing rows). Raises
    MigrationError; the files before the failing one stay applied.
    """
    applied: list[str] = []
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute(_HISTORY)
        known = {row[0] for row in connection.execute("select version from supabase_migrations.schema_migrations")}
        for migration in find_migrations(directory):
            if until is not None and migration.version > until:
                break
            if migration.version not in known:
                _apply_one(connection, migration)
                applied.append(migration.version)
        connection.execute("notify pgrst, 'reload schema'")
    return applied


def _apply_one(connection: psycopg.Connection[tuple[str, ...]], migration: Migration) -> None:
    script = migration.path.read_text(encoding="utf-8")
    # The file before may have left a role or a search_path behind; each starts as in a new session.
    connection.execute("reset role; reset all")
    try:
        with connection.transaction():
            connection.execute(script.encode())
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
                (migration.version, migration.name, split_statements(script)),
            )
    except psycopg.Error as error:
        raise MigrationError(f"{migration.path.name}: {error}") from error


def main() -> None:
    """Apply from the command line."""
    arguments = sys.argv[1:]
    if not 1 <= len(arguments) <= 2:
        sys.exit("usage: python -m scripts.stack.migrate DATABASE_URL [DIRECTORY]")
    directory = Path(arguments[1]) if len(arguments) == 2 else MIGRATIONS
    for version in apply(arguments[0], directory):
        print(f"applied {version}")


if __name__ == "__main__":
    main()
