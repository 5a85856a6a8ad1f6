"""What a new local project shows: the seed's user, their calendar and meetings, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from scripts.stack import migrate
from tests.sql.conftest import Scratch
from tests.sql.database import Connection, Database, connect

SEED = (Path(__file__).parents[2] / "supabase" / "seed.sql").read_text()
ADA = "5eed0000-0000-4000-8000-000000000001"

# As much of Supabase Auth as the seed touches where it is there.
WHOLE_AUTH = """
alter table auth.users
  add column confirmation_token text, add column recovery_token text, add column email_change text,
  add column email_change_token_new text;
create table auth.identities (
  id uuid primary key, user_id uuid not null references auth.users (id), provider_id text not null,
  provider text not null, identity_data jsonb not null, created_at timestamptz, updated_at timestamptz,
  unique (provider_id, provider));
grant all on auth.users, auth.identities to postgres;
create function extensions.gen_salt(text) returns text language sql as $$ select 'salt of ' || $1 $$;
create function extensions.crypt(text, text) returns text language sql as $$ select $1 || ', ' || $2 $$;
"""


@pytest.fixture
def fresh(scratch: Scratch) -> Iterator[Database]:
    admin_url, owner_url = scratch.create()
    migrate.apply(owner_url)
    db = Database(admin_url, owner_url)
    yield db
    db.close()


def seed(db: Database) -> None:
    """As the CLI does: as the owner, who is no superuser."""
    with psycopg.connect(db.postgres_url) as owner:
        owner.execute(SEED.encode())


def seen(connection: Connection, user_id: str) -> list[str]:
    """The titles a signed-in user sees, by start."""
    with connection.transaction(force_rollback=True):
        connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": user_id})])
        connection.execute("set local role authenticated")
        rows = connection.execute("select title from public.meetings order by start_time").fetchall()
    return [row["title"] for row in rows]


def test_its_user_sees_their_meetings_and_another_user_sees_none(fresh: Database) -> None:
    seed(fresh)
    with connect(fresh.postgres_url) as connection:
        assert seen(connection, ADA) == ["Retrospective", "Stand-up", "Interview", "Design review", "Lunch talk"]
        assert seen(connection, fresh.user("bob")) == []


def test_meetings_lie_around_now(fresh: Database) -> None:
    seed(fresh)
    around = fresh.row(
        "select count(*) filter (where end_time < now()) as past,"
        " count(*) filter (where start_time between now() and now() + interval '8 hours') as soon,"
        " count(*) filter (where start_time > now() + interval '8 hours') as ahead from public.meetings"
    )
    assert around == {"past": 1, "soon": 2, "ahead": 2}


def test_seed_may_run_twice_and_then_moves_its_meetings_to_the_new_now(fresh: Database) -> None:
    seed(fresh)
    fresh.admin.execute("update public.meetings set start_time = start_time - interval '90 days'")
    seed(fresh)
    assert fresh.row("select count(*) as n from public.meetings where start_time > now()")["n"] == 4
    counts = "select (select count(*) from auth.users) as u, (select count(*) from public.calendar_webhooks) as c"
    assert fresh.row(counts + ", (select count(*) from public.meetings) as m") == {"u": 1, "c": 1, "m": 5}


def test_seed_refuses_a_database_with_calendars_of_others_and_leaves_nothing(fresh: Database) -> None:
    fresh.calendar()
    with pytest.raises(psycopg.errors.RaiseException, match="for a new local project"):
        seed(fresh)
    assert fresh.rows("select 1 from auth.users where id = %s", ADA) == []


def test_service_leaves_its_calendar_alone(fresh: Database) -> None:
    seed(fresh)
    fresh.admin.execute("update public.calendar_webhooks set due_at = now() - interval '1 hour'")
    assert fresh.claim() == []


def test_user_can_sign_in_where_auth_is_whole(fresh: Database) -> None:
    """Auth's own tables as stand-ins; a sign-in itself needs a whole Supabase."""
    fresh.admin.execute(WHOLE_AUTH.encode())
    seed(fresh)
    seed(fresh)
    user = fresh.row("select encrypted_password, confirmation_token, email_change_token_new from auth.users")
    assert user == {
        "encrypted_password": "local-calendar, salt of bf",
        "confirmation_token": "",
        "email_change_token_new": "",
    }
    identity = fresh.row("select user_id::text, provider, identity_data ->> 'email' as email from auth.identities")
    assert identity == {"user_id": ADA, "provider": "email", "email": "ada@example.com"}
