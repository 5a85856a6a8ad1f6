"""The OpenAPI document is true: every route is in it, and whatever is asked, the answers are as it says.

schemathesis asks, as a stranger, as the service and as a user, with values that fit the document and that do not.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sync.version import VERSION
from sync.web.openapi.document import PATHS, document
from tests.web.calls import PROBLEM_KEYS, calls_caused
from tests.world import TLS, World

api: Any = schemathesis.openapi.from_dict(document())
CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_addresses = itertools.count(1)

some = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def each_operation(test: Callable[..., None]) -> Any:
    return some(api.parametrize()(test))


@pytest.fixture
def service(world: World) -> World:
    """Behind a proxy, so that each call can come from an address of its own: throttling is tested elsewhere."""
    world.restart_service(TRUSTED_PROXIES="1", CONNECT_REDIRECT_URLS=PAGE)
    _ = world.service
    world.reset_counters()
    return world


@pytest.fixture
def users_key(service: World) -> str:
    return f"Bearer {service.supabase.user_jwt(service.person().user_id)}"


PAGE = "https://app.example.com/connected"
PUBLIC = ("/healthz", "/readyz", "/openapi.json")


def ask(world: World, case: Case[Any], **headers: str) -> Any:
    number = next(_addresses)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    answer = case.call(base_url=world.service.url, headers={"X-Forwarded-For": address, **headers}, timeout=60)
    case.validate_response(answer, checks=CHECKS)
    return answer


def asked_of_google(world: World) -> int:
    return sum(world.google.counters()["calls"].values())


@each_operation
def test_a_stranger_learns_and_causes_nothing(case: Case[Any], service: World) -> None:
    answer = ask(service, case)

    if case.operation.path not in PUBLIC and case.method != "OPTIONS":
        assert 400 <= answer.status_code < 500
        assert set(answer.json()) == PROBLEM_KEYS
        assert calls_caused(service) == {}
    assert asked_of_google(service) == 0


@each_operation
def test_the_service_is_answered_as_documented(case: Case[Any], service: World) -> None:
    before = asked_of_google(service)

    answer = ask(service, case, Authorization=f"Bearer {service.supabase.service_key}")

    if answer.status_code in (400, 401, 403, 404, 405, 413, 429):
        assert asked_of_google(service) == before


@each_operation
def test_a_user_is_answered_as_documented(case: Case[Any], service: World, users_key: str) -> None:
    before = asked_of_google(service)

    answer = ask(service, case, Authorization=users_key)

    if answer.status_code in (400, 401, 403, 404, 405, 413, 429):
        assert asked_of_google(service) == before


def test_every_route_is_in_the_document_and_nothing_else(world: World) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in world.service.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        # Pages are for people.
        if not rule.endpoint.startswith(("dashboard.", "reference."))
    }
    assert {(path, method) for path, methods in PATHS.items() for method in methods} == routes


def test_the_document_is_served_and_valid(world: World) -> None:
    answer = httpx.get(f"{world.service.url}/openapi.json", verify=TLS, timeout=60)

    assert (answer.status_code, answer.json()) == (200, document((world.environment["WEBHOOK_BASE_URL"],)))
    assert answer.json()["info"]["version"] == VERSION
    assert answer.json()["servers"] == [{"url": world.environment["WEBHOOK_BASE_URL"]}]
    schemathesis.openapi.from_url(f"{world.service.url}/openapi.json").validate()


def test_the_page_tells_of_every_operation_and_asks_nobody_for_anything(world: World) -> None:
    answer = httpx.get(f"{world.service.url}/docs", verify=TLS, timeout=60)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    told = re.findall(r"<h2><b>(\w+)</b> ([^<]+)</h2>", answer.text)
    assert told == [(method.upper(), path) for path, methods in PATHS.items() for method in methods]
    anchors = re.findall(r' id="([^"]+)"', answer.text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'(?:href|src)="([^"]+)"', answer.text)) - {f"#{anchor}" for anchor in anchors} == {
        "openapi.json"
    }
    style = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_what_works_answers_as_documented(world: World) -> None:
    """Random values connect nobody: a real connection's answers against the document."""
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Standup"), notify=False)
    world.connect(alice)
    (meeting,) = world.meetings(alice)
    key = {"Authorization": f"Bearer {world.supabase.service_key}"}
    mine = {"userId": alice.user_id}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/functions/v1/calendar-polling-service", {"json": {**mine, "force": True}}),
        ("POST", "/functions/v1/calendar-polling-cron", {}),
        ("POST", "/functions/v1/renew-calendar-watches", {}),
        ("GET", "/functions/v1/explain", {"params": {"meeting": str(meeting["id"])}}),
        ("GET", "/functions/v1/explain", {"params": {"event": meeting["google_calendar_event_id"]}}),
        ("GET", "/functions/v1/calendars", {"params": mine}),
        ("POST", "/functions/v1/calendars", {"json": {**mine, "calendarIds": ["primary"]}}),
        (
            "POST",
            "/functions/v1/connect-calendar",
            {"json": {**mine, "provider_refresh_token": alice.refresh_token}},
        ),
        ("POST", "/functions/v1/calendars/remove", {"json": {**mine, "calendarIds": ["primary"]}}),
        ("POST", "/connect/google/disconnect", {"json": mine}),
    ]
    for method, path, content in calls:
        answer = httpx.request(method, f"{world.service.url}{path}", headers=key, timeout=60, **content, verify=TLS)
        assert answer.status_code == 200, (path, answer.text)
        api[path][method].validate_response(answer)
