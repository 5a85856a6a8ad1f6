"""What opening the dashboard takes in a real Chromium, at first and with its files kept.

Needs what the tests of pages need: Playwright and a Chromium (`CHROMIUM`, or Debian's package).
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page, sync_playwright

from scripts.benchmarks.ground import ground, gunicorn
from scripts.benchmarks.measuring import Measure, Row, Size, row_of

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PAINT = "(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime"
_PAINT_MS, _PATIENCE = 20, 250


def dashboard(size: Size) -> Iterator[Row]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise RuntimeError("needs a Chromium: apt-get install chromium, or CHROMIUM=path")
    token = secrets.token_urlsafe(32)
    first, again = [], []
    with (
        ground() as here,
        gunicorn({**here.environment, "DASHBOARD_TOKEN": token}) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        cookies = _signed_in(browser.new_page(base_url=url), token)
        for _ in range(size.rounds):
            context = browser.new_context(base_url=url)
            context.add_cookies(cookies)
            page = context.new_page()
            first.append(_painted(page))
            again.append(_painted(page))
            context.close()
        browser.close()
    yield row_of("first contentful paint, nothing kept", "ms", first)
    yield row_of("the same, its files kept", "ms", again)


def _signed_in(page: Page, token: str) -> Any:
    page.goto("/dashboard")
    page.get_by_label("Operator's token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview", level=1).wait_for()
    return page.context.cookies()


def _painted(page: Page) -> float:
    page.goto("/dashboard", wait_until="load")
    for _ in range(_PATIENCE):
        # The page's policy forbids to await an expression in it.
        at = page.evaluate(_PAINT)
        if at:
            return float(at)
        page.wait_for_timeout(_PAINT_MS)
    raise RuntimeError("nothing was painted")


MEASURES = (Measure("dashboard", "opening the overview in Chromium", "none", dashboard),)
