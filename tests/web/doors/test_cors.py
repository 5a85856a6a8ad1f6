"""Browsers may call what is a user's from the front end's pages, and from no others."""

from __future__ import annotations

import pytest

from tests.web.calls import CONNECT, POLL, RENEW, WEBHOOK, call
from tests.web.consent import CALENDARS, DISCONNECT, START, jwt
from tests.world import World

APP = "https://app.example.com"


@pytest.fixture
def world(world: World) -> World:
    world.restart_service(CONNECT_REDIRECT_URLS="https://App.example.com:443/done?x=1#y,http://localhost:3000/")
    return world


def preflight(world: World, path: str, origin: str) -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = call(world, path, {**asked, "Access-Control-Request-Headers": "authorization"}, method="OPTIONS")
    assert answer.status_code == 200
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


@pytest.mark.parametrize("path", [START, DISCONNECT, CALENDARS, f"{CALENDARS}/remove", CONNECT, POLL])
@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
def test_the_front_end_may_ask_and_read(world: World, path: str, origin: str) -> None:
    allowed = preflight(world, path, origin)

    assert allowed["access-control-allow-origin"] == origin
    assert "authorization" in allowed["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed
    answer = call(world, path, {**jwt(world, world.person()), "Origin": origin}, json={})
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "null", f"{APP}.evil.com", f"{APP}:444", "http://app.example.com", f"{APP}/"]
)
def test_no_other_page_may(world: World, origin: str) -> None:
    assert preflight(world, START, origin) == {}


def test_what_is_no_users_route_is_opened_to_no_page(world: World) -> None:
    for path in (WEBHOOK, RENEW):
        assert preflight(world, path, APP) == {}


def test_without_a_front_end_nothing_is_allowed(world: World) -> None:
    world.restart_service(CONNECT_REDIRECT_URLS="")
    assert preflight(world, START, APP) == {}
