"""A company's database works after the migrations, or they say all that is in the way and have changed nothing."""

from __future__ import annotations

import re

import psycopg
import pytest

from scripts.stack.migrate import find_migrations
from tests.sql.conftest import Scratch
from tests.sql.database import connect
from tests.sql.migrations.originals import TABLES, Original
from tests.sql.migrations.shapes import CHOSEN, Shape, together
from tests.sql.migrations.upgrade import ASKS, Upgrade, fill_original

PREFLIGHT = find_migrations()[0].path.read_bytes()
# Found to migrate and then to fail at the first write, or to stop halfway.
TAKEN_THROUGH = (
    "enum event_status in a view, a policy, an index and a check",
    "enum sync_type and enum status of the log",
    "timestamps without zone",
    "a check on titles",
    "a trigger on a table without grants",
    "a trigger that swallows",
    "a foreign key on (user_id, google_calendar_event_id)",
    "ids that are numbers, pointed to",
    "text user_id with policies",
    "one row per user by primary key",
    "the company's own objects under our names",
    "columns under our names",
    "channel_id for webhook_id",
)


@pytest.fixture(scope="module")
def original(scratch: Scratch) -> str:
    """A database of the original system, for what is rolled back: its owner's URL."""
    admin_url, owner_url = scratch.create()
    fill_original(admin_url, owner_url, Original("as documented"))
    return owner_url


def verdict(url: str, shape: Shape) -> str:
    """What the preflight prints for this shape, once that has been run and let it go on; '' if it just goes on."""
    with connect(url) as db, db.transaction(force_rollback=True):
        db.execute(shape.sql.encode())
        try:
            with db.transaction():
                db.execute(PREFLIGHT)
        except psycopg.Error as refused:
            if refused.sqlstate != ASKS:
                raise
            asked = refused.diag.message_primary or ""
        else:
            return ""
        assert "Tried, and it failed" not in asked, asked
        db.execute(asked.encode())
        db.execute(PREFLIGHT)
    return asked


@pytest.mark.parametrize("shape", [shape for shape in CHOSEN if shape.name not in TAKEN_THROUGH], ids=str)
def test_preflight_goes_on_or_says_what_lets_it(original: str, shape: Shape) -> None:
    said = verdict(original, shape)
    assert (shape.asks or "") in said
    assert bool(said) == (shape.asks is not None), said


def test_every_column_may_be_missing_or_of_another_type(original: str) -> None:
    shapes = list(together())
    assert len(shapes) > 25
    for shape in shapes:
        asked = verdict(original, shape)
        # One that is put aside as a whole says nothing of its other column.
        aside = {table for table in TABLES if f"alter table public.{table} rename to" in asked}
        assert aside <= {table for table in TABLES if re.search(rf"{table}( without |\.)user_id", shape.name)}, asked


@pytest.mark.parametrize("name", TAKEN_THROUGH)
def test_what_was_mended_migrates_and_syncs(scratch: Scratch, name: str) -> None:
    (shape,) = [shape for shape in CHOSEN if shape.name == name]
    upgraded = Upgrade(Original(name, rows=shape.sql), scratch)
    assert bool(upgraded.asked) == (shape.asks is not None)
    assert (shape.asks or "") in upgraded.asked
    with upgraded.undone():
        upgraded.exercise()
    upgraded.db.close()


def test_a_database_that_is_no_project_of_the_platform_is_refused(scratch: Scratch) -> None:
    admin_url, _ = scratch.create()
    with connect(admin_url) as admin:
        admin.execute("alter schema auth rename to elsewhere")
        with pytest.raises(psycopg.Error, match="no database of a Supabase project"):
            admin.execute(PREFLIGHT)
