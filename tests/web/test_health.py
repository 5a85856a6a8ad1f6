"""Probes: healthz needs nobody, readyz needs the store."""

from __future__ import annotations

from typing import Any

import pytest

from sync.core.operations.mends import sentence_of
from sync.jobs.operations.observe import NEWEST_MIGRATION
from sync.version import VERSION
from tests.web.calls import assert_no_secret, assert_problem, bearer, call
from tests.world import World


def test_the_process_is_alive_without_the_store(world: World) -> None:
    world.supabase.fault("*", "http_500", times=50)
    world.supabase.reset_counters()

    answer = call(world, "/healthz", method="GET")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": VERSION})
    assert world.supabase.counters() == {}


def test_the_process_is_ready_when_the_store_answers_one_call(world: World) -> None:
    _ = world.service
    world.supabase.reset_counters()

    answer = call(world, "/readyz", method="GET")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert sum(world.supabase.counters().values()) == 1


@pytest.mark.parametrize("fault", ["http_500", "drop_before", "drop_after"])
def test_the_process_is_not_ready_while_the_store_is_down(world: World, fault: Any) -> None:
    _ = world.service
    world.supabase.reset_counters()
    world.supabase.fault("*", fault, times=50)

    answer = call(world, "/readyz", method="GET")

    assert_problem(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert_no_secret(world, answer)
    assert sum(world.supabase.counters().values()) == 1
    world.supabase.clear_faults()
    assert call(world, "/readyz", method="GET").status_code == 200


def test_readiness_names_what_only_the_operator_can_mend_and_stays_ready(world: World) -> None:
    faults = world.service.app.extensions["services"].operator_faults
    faults.note("invalid_client")
    faults.note("invalid_client")

    answer = call(world, "/readyz", method="GET")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "misconfigured": ["invalid_client"]})


AWAY = "alter function public.{0} rename to {0}_away"
BACK = "alter function public.{0}_away rename to {0}"
AS_OLD_AS = "create or replace function public.calendar_schema_version() returns bigint language sql immutable " \
    "set search_path = '' as $$ select {0} $$"  # fmt: skip
GRANTED = "execute on function public.calendar_schema_version"
# What is done to the database, and what undoes it, by what it is called.
BROKEN = {
    "migrations_missing": (
        [AWAY.format("calendar_schema_version"), AWAY.format("sweep_state")],
        [BACK.format("calendar_schema_version"), BACK.format("sweep_state")],
    ),
    "migrations_behind": ([AS_OLD_AS.format("20260101000000")], [AS_OLD_AS.format(NEWEST_MIGRATION)]),
    "grants_missing": ([f"revoke {GRANTED} from service_role"], [f"grant {GRANTED} to service_role"]),
}


@pytest.mark.parametrize("code", BROKEN)
def test_readiness_tells_apart_what_is_wrong_with_the_database_and_says_the_mend(world: World, code: str) -> None:
    breaking, mending = BROKEN[code]
    _ = world.service
    try:
        for statement in breaking:
            world.db.execute(statement.encode())
        answer = call(world, "/readyz", method="GET")
    finally:
        for statement in mending:
            world.db.execute(statement.encode())

    assert_problem(answer, 503, code)
    assert answer.json()["detail"] == sentence_of(code)
    assert_no_secret(world, answer)
    assert call(world, "/readyz", method="GET").status_code == 200


def test_every_endpoint_says_that_the_key_is_refused(world: World) -> None:
    world.restart_service(SUPABASE_SERVICE_ROLE_KEY="sb_secret_of_another_project")

    for path in ("/readyz", "/functions/v1/events"):
        answer = call(world, path, method="GET", headers=bearer("sb_secret_of_another_project"))
        assert_problem(answer, 503, "database_key_refused")
        assert answer.json()["detail"] == sentence_of("database_key_refused")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer_head_and_refuse_post(world: World, path: str) -> None:
    assert call(world, path, method="HEAD").status_code == 200
    assert_problem(call(world, path), 405, "method_not_allowed")
