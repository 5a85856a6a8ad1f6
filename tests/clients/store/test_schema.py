"""What the store is asked about itself: all that the code calls, and all tables there are."""

from __future__ import annotations

import re
from pathlib import Path

from sync.clients.store import catalogue
from sync.jobs.operations.observe import NEWEST_MIGRATION
from tests.world import World

PACKAGE = Path(catalogue.__file__).parent


def test_every_function_that_is_called_is_looked_for() -> None:
    called = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r'\.(?:rows|call|once)\(\s*"(\w+)"', path.read_text())
    }
    assert sorted(called) == catalogue.FUNCTIONS


def test_a_database_as_the_migrations_leave_it_has_nothing_to_mend(world: World) -> None:
    schema = world.services.store.schema
    tables = world.rows("select tablename from pg_tables where schemaname = 'public' order by 1")
    assert schema.version() == int(NEWEST_MIGRATION)
    assert [row["tablename"] for row in tables] == catalogue.TABLES
    assert {what: found for what, found in schema.inspect().items() if found} == {}


def test_what_was_changed_by_hand_is_named(world: World) -> None:
    changes = (
        ("revoke select on public.meetings from service_role", "grant select on public.meetings to service_role"),
        ("alter table public.alerts disable row level security", "alter table public.alerts enable row level security"),
        ("grant execute on function public.operate to anon", "revoke execute on function public.operate from anon"),
        (
            "revoke execute on function public.explain_bot from service_role",
            "grant execute on function public.explain_bot to service_role",
        ),
        (
            "alter publication supabase_realtime drop table public.meetings",
            "alter publication supabase_realtime add table public.meetings",
        ),
    )
    try:
        for change, _ in changes:
            world.db.execute(change.encode())
        seen = world.services.store.schema.inspect()
    finally:
        for _, back in changes:
            world.db.execute(back.encode())
    assert {what: found for what, found in seen.items() if found} == {
        "tables_not_granted": ["meetings"],
        "tables_open": ["alerts"],
        "functions_open": ["operate"],
        "functions_not_granted": ["explain_bot"],
        "unpublished": ["meetings"],
    }


def test_no_function_answers_a_bare_text(world: World) -> None:
    """What is no JSON comes as text, so a text is taken for a broken answer (`rpc`), and for an outage."""
    texts = world.rows(
        "select proname from pg_proc where pronamespace = 'public'::regnamespace and not proretset"
        " and proname = any (%s) and prorettype in ('text'::regtype, 'uuid'::regtype, 'timestamptz'::regtype)",
        catalogue.FUNCTIONS,
    )
    assert texts == []
