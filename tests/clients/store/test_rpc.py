"""Calls of SQL functions against answers that no PostgREST gives: a gateway's, a firewall's, a portal's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from sync.clients.retrying import LEAST_SECONDS, deadline
from sync.clients.store.rpc import ATTEMPTS, TRIPPING, Rpc
from sync.errors import StoreDown, StoreMisconfigured, StoreRejected, StoreUnavailable
from sync.jobs.operations.observe import NEWEST_MIGRATION
from tests.clients.google.answering import Answers, answering
from tests.world import World


@pytest.fixture
def gateway() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def rpc(gateway: Answers) -> Iterator[Rpc]:
    rpc = Rpc(gateway.url, "sb_secret_0123456789")
    yield rpc
    rpc.close()


@pytest.mark.parametrize("kind", ["sb_secret_key", "service_key"])
def test_both_kinds_of_key_come_through_the_platforms_gateway(world: World, kind: str) -> None:
    rpc = Rpc(world.supabase.url, getattr(world.supabase, kind))
    try:
        assert rpc.once("calendar_schema_version", {}) == int(NEWEST_MIGRATION)
    finally:
        rpc.close()


GATEWAYS = [500, 501, 502, 503, 504, 505, 507, 511, *range(520, 531), 540, 544, 599]
BODIES = {
    "none": b"",
    "page": b"<html>error</html>",
    "json_without_code": b'{"message": "An invalid response was received from the upstream server"}',
    "json_of_another_form": b'{"error": {"code": 7}}',
    "list": b"[]",
    "number_as_code": b'{"code": 500, "message": "x"}',
    "class_of_a_refusal": b'{"code": "P0002", "message": "x"}',
}


@pytest.mark.parametrize("status", GATEWAYS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_every_5xx_passes_whatever_its_body(gateway: Answers, rpc: Rpc, status: int, body: bytes) -> None:
    gateway.status, gateway.body = status, body

    with pytest.raises(StoreUnavailable):
        rpc.once("sweep_state", {})


@pytest.mark.parametrize("status", [302, 400, 403, 404, 408, 413, 429])
def test_a_page_of_somebody_else_is_no_refusal(gateway: Answers, rpc: Rpc, status: int) -> None:
    gateway.status, gateway.body = status, b"<html>blocked</html>"

    with pytest.raises(StoreUnavailable):
        rpc.once("sweep_state", {})


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"", b'[{"remaining": 1', b'"text"'])
def test_a_200_that_is_no_answer_is_no_answer(gateway: Answers, rpc: Rpc, body: bytes) -> None:
    gateway.body = body

    with pytest.raises(StoreUnavailable, match="answer_unreadable"):
        rpc.once("sweep_state", {})


def test_a_function_without_a_result_answers_nothing(gateway: Answers, rpc: Rpc) -> None:
    gateway.status, gateway.body = 204, b""

    assert not rpc.once("release_refresh", {})


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (400, "22P05", StoreRejected),
        (409, "23503", StoreRejected),
        (404, "PGRST202", StoreMisconfigured),
        (400, None, StoreRejected),
        (500, "57014", StoreUnavailable),
        (503, "PGRST001", StoreUnavailable),
        (429, "PGRST000", StoreUnavailable),
    ],
)
def test_what_postgrest_refuses_is_refused_under_its_code(
    gateway: Answers, rpc: Rpc, status: int, code: str | None, failure: type[Exception]
) -> None:
    gateway.status, gateway.body = status, json.dumps({"code": code, "message": "never looked at"}).encode()

    with pytest.raises(failure, match=code or "unknown"):
        rpc.once("sweep_state", {})


def test_what_passes_is_asked_again(gateway: Answers, rpc: Rpc) -> None:
    gateway.status, gateway.body = 500, BODIES["json_without_code"]

    with pytest.raises(StoreUnavailable):
        rpc.call("sweep_state")
    assert gateway.requests == ATTEMPTS


def test_an_idle_connection_that_the_gateway_has_closed_is_no_failure(gateway: Answers, rpc: Rpc) -> None:
    gateway.hang_up, gateway.body = True, b"[]"
    for _ in range(8):
        assert rpc.call("sweep_state") == []
        assert gateway.hung_up.acquire(timeout=60)
    assert gateway.requests == 8


def test_nothing_is_repeated_beyond_the_callers_deadline(gateway: Answers, rpc: Rpc) -> None:
    gateway.status = 500

    with deadline(0), pytest.raises(StoreUnavailable):
        rpc.call("sweep_state")
    assert gateway.requests == 1


def test_an_answer_that_trickles_is_not_waited_for_beyond_the_callers_deadline(gateway: Answers, rpc: Rpc) -> None:
    gateway.drip_seconds, gateway.body = 0.4, b" " * 150
    began = time.monotonic()

    with deadline(LEAST_SECONDS), pytest.raises(StoreUnavailable, match="ReadTimeout"):
        rpc.call("sweep_state")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("status", [403, 404, 408, 502])
def test_an_outage_is_asked_about_by_probes_alone(gateway: Answers, rpc: Rpc, status: int) -> None:
    gateway.status, gateway.body = status, BODIES["page"]
    for _ in range(TRIPPING.failures + 20):
        with pytest.raises(StoreUnavailable):
            rpc.once("sweep_state", {})
    assert gateway.requests == TRIPPING.failures
    with pytest.raises(StoreDown):
        rpc.call("sweep_state")


@pytest.mark.parametrize("code", ["57014", "40P01", "55P03"])
def test_a_statement_that_takes_too_long_is_no_outage(gateway: Answers, rpc: Rpc, code: str) -> None:
    gateway.status, gateway.body = 500, json.dumps({"code": code, "message": "x"}).encode()
    for _ in range(TRIPPING.failures + 5):
        with pytest.raises(StoreUnavailable, match=code):
            rpc.once("sweep_state", {})
