"""Probes: healthz needs nobody, readyz needs the store."""

from __future__ import annotations

from typing import Any

import pytest

from sync.version import VERSION
from tests.web.calls import assert_no_secret, assert_problem, call
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


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer_head_and_refuse_post(world: World, path: str) -> None:
    assert call(world, path, method="HEAD").status_code == 200
    assert_problem(call(world, path), 405, "method_not_allowed")
