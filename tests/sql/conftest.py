"""Fixtures of the SQL tests: the project's own database emptied before each test, and further ones made to order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.stack.supabase import LocalSupabase
from tests.connections import KEPT
from tests.emptying import EMPTY
from tests.sql.database import Database

_numbers = itertools.count(1)


class Scratch:
    """Further databases in the project's cluster, which end with it."""

    def __init__(self, supabase: LocalSupabase) -> None:
        self._supabase = supabase

    def create(self, *, migrate: bool = False) -> tuple[str, str]:
        """A hosted-like database, empty or migrated: the superuser's URL, and its owner's (role postgres)."""
        name = f"scratch_{next(_numbers)}"
        owner_url = self._supabase.new_database(name, migrate=migrate)
        return self._supabase.superuser_url(name), owner_url


@contextmanager
def emptied(supabase: LocalSupabase) -> Iterator[Database]:
    """The migrated database that the API serves, without rows."""
    database = Database(supabase.db_url, supabase.postgres_url, KEPT)
    database.admin.execute(EMPTY)
    yield database
    database.close()


@pytest.fixture
def db(supabase: LocalSupabase) -> Iterator[Database]:
    with emptied(supabase) as database:
        yield database


@pytest.fixture(scope="session")
def scratch(supabase: LocalSupabase) -> Scratch:
    return Scratch(supabase)
