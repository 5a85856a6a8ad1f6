"""Fixtures: a service with one operator who acts and one who looks, and their browsers without a screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.world import TLS, World

ACTING, READING = "acting-operators-token-0001", "reading-operators-token-0002"


class Visitor:
    """A browser as far as its cookies go: it follows no redirect by itself."""

    def __init__(self, world: World) -> None:
        self.http = httpx.Client(base_url=world.service.url, timeout=60, verify=TLS, headers={"Accept": "text/html"})

    def sign_in(self, token: str, *, path: str = "") -> httpx.Response:
        return self.http.post("/dashboard/sign-in", data={"token": token, "next": path})

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers=headers)

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get("/dashboard/actions").text)
        assert found
        return found[1]

    def post(self, path: str, *, csrf: str | None = None, **fields: str) -> httpx.Response:
        return self.http.post(path, data={"csrf": self.csrf if csrf is None else csrf, **fields})


@pytest.fixture
def operated(world: World) -> World:
    world.restart_service(DASHBOARD_TOKEN=f"anna={ACTING}", DASHBOARD_READ_TOKEN=f"ravi={READING}")
    return world


@contextmanager
def visiting(world: World, token: str | None = None) -> Iterator[Visitor]:
    visitor = Visitor(world)
    if token:
        assert visitor.sign_in(token).status_code == 303
    yield visitor
    visitor.http.close()


@pytest.fixture
def stranger(operated: World) -> Iterator[Visitor]:
    with visiting(operated) as visitor:
        yield visitor


@pytest.fixture
def anna(operated: World) -> Iterator[Visitor]:
    """They act."""
    with visiting(operated, ACTING) as visitor:
        yield visitor


@pytest.fixture
def ravi(operated: World) -> Iterator[Visitor]:
    """They look."""
    with visiting(operated, READING) as visitor:
        yield visitor
