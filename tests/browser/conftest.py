"""Fixtures: a real Chromium, and the operator Anna signed in on its page. Without a Chromium these tests are skipped.

Debian's package, or what CHROMIUM names; Playwright brings no browser of its own here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.world import World

ACTING, READING = "acting-operators-token-0001", "reading-operators-token-0002"
# As root there is no sandbox, and a browser under test has nobody to call.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# A page asks again every few seconds, says after 15 s that it has heard nothing, and what it is to show takes the
# service a moment too. For a browser on a machine that is busy, one time for all that is waited for.
PATIENCE_MS = 45_000
expect.set_options(timeout=PATIENCE_MS)


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip("needs a Chromium: apt-get install chromium, or CHROMIUM=path")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def operated(world: World) -> World:
    world.restart_service(DASHBOARD_TOKEN=f"anna={ACTING}", DASHBOARD_READ_TOKEN=f"ravi={READING}")
    return world


@pytest.fixture
def page(browser: Browser, operated: World) -> Iterator[Page]:
    """Signed in as Anna. What the page's scripts fail of, or are refused, fails the test."""
    context = browser.new_context(base_url=operated.service.url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    page.on("request", lambda asked: complaints.append(asked.url) if operated.service.url not in asked.url else None)
    sign_in(page, ACTING)
    yield page
    context.close()
    assert complaints == []


def sign_in(page: Page, token: str) -> None:
    page.goto("/dashboard")
    page.get_by_label("Operator's token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview", level=1).wait_for()
