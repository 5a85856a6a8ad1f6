"""The example's page in a real browser: it connects users both ways, shows the first sync and what is ahead as it
changes, and says when it cannot. Supabase Auth alone is not there: its sign-in leads back at once, with the session it
would give.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from sync.core.accounts.oauth_flow import ASKED_SCOPES
from sync.web.openapi.document import document
from tests.browser.conftest import PATIENCE_MS
from tests.docs.pages import ROOT
from tests.flows.test_losing_access import forget_access_tokens, lose
from tests.web.consent import assert_nothing_stored, query_of, stored
from tests.world import Person, World

EXAMPLE = ROOT / "examples" / "connect"
CALL = re.compile(r'post\(config, session, "([^"]+)", \{\s*(.*?),?\s*\}\)', re.DOTALL)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """To nobody."""


@pytest.fixture
def home(world: World, tmp_path: Path) -> Iterator[str]:
    """The address of the example, served as its page says, with this world's addresses in its configuration."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "page"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}/"
    world.restart_service(CONNECT_REDIRECT_URLS=home)
    config = {
        "service": world.service.url,
        "supabase": world.supabase.url,
        "key": world.environment["SUPABASE_PUBLISHABLE_KEY"],
    }
    (folder / "config.js").write_text(f"export const config = {json.dumps(config)}")
    yield home
    server.shutdown()
    server.server_close()


@pytest.fixture
def tab(browser: Browser, home: str) -> Iterator[Page]:
    """A new tab at the page. What its scripts fail of fails the test."""
    context = browser.new_context(base_url=home)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    context.close()
    assert complaints == []


def session_of(world: World, person: Person, **more: Any) -> dict[str, str]:
    return {"access_token": world.supabase.user_jwt(person.user_id, person.email), **more}


def sign_in(tab: Page, session: dict[str, str]) -> list[str]:
    """Opens the page and signs in through it; the addresses that the sign-in was asked for at."""
    asked: list[str] = []

    def supabase_auth(route: Route) -> None:
        asked.append(route.request.url)
        back = query_of(route.request.url)["redirect_to"]
        route.fulfill(status=302, headers={"location": f"{back}#{urlencode(session)}"})

    tab.route("**/auth/v1/authorize*", supabase_auth)
    tab.goto("/")
    tab.get_by_role("button", name="Sign in with Google").click()
    # Said once the session is kept. That nothing says the opposite is true between two pages too.
    told(tab, re.compile(r"^\s*(?!Not signed in)\S"))
    return asked


def told(tab: Page, text: str | re.Pattern[str]) -> None:
    expect(tab.get_by_role("status")).to_contain_text(text)


def titles(tab: Page, *titles: str) -> None:
    expect(tab.locator("#meetings .title")).to_have_text(list(titles))


@pytest.fixture
def connect(world: World, tab: Page) -> Callable[[Person], None]:
    """Signs a person in and connects them, with the grant that their sign-in brings."""

    def signed_in_and_connected(person: Person) -> None:
        sign_in(tab, session_of(world, person, provider_refresh_token=person.refresh_token))
        told(tab, f"Connected: {person.email}")

    return signed_in_and_connected


def test_every_call_of_the_example_is_as_the_service_documents_it() -> None:
    calls = CALL.findall((EXAMPLE / "connect.js").read_text())

    assert len(calls) == 4
    for path, fields in calls:
        body = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        names = set(re.findall(r"(?:^|,\s*)(\w+)", fields))
        assert set(body.get("required", ())) <= names <= set(body["properties"]), path


def test_a_sign_in_connects_shows_the_first_sync_and_then_lives(world: World, tab: Page, home: str) -> None:
    alice = world.person("alice")
    kept = [world.google.insert_event(alice.email, world.event(f"M{n}", hours=n + 2)) for n in range(3)]
    world.google.add_fault("small_pages", size=1)
    hold = world.google.add_fault("hold", method="events.list", page=2)

    (asked,) = sign_in(tab, session_of(world, alice, provider_refresh_token=alice.refresh_token))

    asks = query_of(asked)
    assert urlsplit(asked).path == "/auth/v1/authorize"
    assert set(asks["scopes"].split()) == set(ASKED_SCOPES)
    assert (asks["provider"], asks["access_type"], asks["prompt"]) == ("google", "offline", "consent")
    told(tab, f"Connected: {alice.email}")
    assert tab.url == home
    expect(tab.get_by_role("progressbar", name="First sync of")).to_be_visible()
    world.google.release(hold)
    expect(tab.get_by_role("progressbar")).to_have_count(0)
    titles(tab, "M0", "M1", "M2")
    # By their own sign-in, without a reload.
    world.google.insert_event(alice.email, world.event("Sooner", hours=1))
    world.google.delete_event(alice.email, kept[1]["id"])
    titles(tab, "Sooner", "M0", "M2")
    expect(tab.get_by_role("link", name="Join Sooner")).to_have_attribute("href", re.compile("^https://zoom.us/j/"))
    # The grant is handed over once: a reload has nothing to hand over.
    calls: list[str] = []
    tab.on("request", lambda request: calls.append(urlsplit(request.url).path))
    tab.reload()
    titles(tab, "Sooner", "M0", "M2")
    assert [path for path in calls if path.startswith(("/functions/", "/connect/"))] == []


def test_a_consent_is_completed_by_who_began_it_and_undone_by_a_button(world: World, tab: Page, home: str) -> None:
    alice = world.person("alice")
    sign_in(tab, session_of(world, alice))
    tab.get_by_role("button", name="Connect a Google Calendar").click()

    told(tab, f"Connected: {alice.email}")
    assert tab.url == home
    tab.get_by_role("button", name="Disconnect").click()

    told(tab, "no token is kept")
    expect(tab.get_by_role("heading", name="Calendars")).to_be_hidden()
    expect(tab.get_by_role("button", name="Connect a Google Calendar")).to_be_visible()


def test_who_consents_on_anothers_link_is_told_so_and_gives_nothing(world: World, tab: Page) -> None:
    mallory, vera = world.person("mallory"), world.person("vera")
    sign_in(tab, session_of(world, mallory))
    # Mallory sends the link on; Vera is signed in where it leads back to.
    tab.evaluate("token => sessionStorage.setItem('access_token', token)", session_of(world, vera)["access_token"])
    tab.get_by_role("button", name="Connect a Google Calendar").click()

    told(tab, "Somebody else began this connection")
    assert "handle" not in tab.url
    for person in (mallory, vera):
        assert_nothing_stored(world, person)


def test_who_declines_is_told_that_nothing_was_connected(world: World, tab: Page, home: str) -> None:
    alice = world.person()
    world.google.configure(consent="deny")
    sign_in(tab, session_of(world, alice))
    tab.get_by_role("button", name="Connect a Google Calendar").click()

    told(tab, "You declined. Nothing was connected.")
    assert tab.url == home
    assert_nothing_stored(world, alice)


def test_a_dead_grant_is_seen_and_connecting_again_brings_everything_back(
    world: World, tab: Page, connect: Callable[[Person], None]
) -> None:
    alice = world.person("alice")
    connect(alice)
    world.google.revoke(alice.email)
    forget_access_tokens(world)
    lose(world, alice)
    expect(tab.get_by_text("Google needs your consent again")).to_be_visible()
    world.google.insert_event(alice.email, world.event("Meanwhile"))

    tab.get_by_role("button", name="Connect again").click()

    told(tab, f"Connected: {alice.email}")
    titles(tab, "Meanwhile")
    expect(tab.get_by_text("up to date")).to_be_visible()
    assert (stored(world, alice) or {})["status"] == "connected"


def test_a_page_that_hears_nothing_says_so_and_goes_on_when_it_hears_again(
    world: World, tab: Page, connect: Callable[[Person], None]
) -> None:
    tab.clock.install()
    alice = world.person("alice")
    connect(alice)
    expect(tab.locator("#live")).to_have_text("live")
    world.supabase.fault("my_calendars", "http_500", times=1000)
    tab.clock.fast_forward(5_000)
    expect(tab.locator("#live")).to_have_text("not live; trying again")
    world.supabase.clear_faults()
    tab.clock.fast_forward(10_000)
    expect(tab.locator("#live")).to_have_text("live")


def test_nothing_is_shown_once_the_sign_in_has_ended(
    world: World, tab: Page, connect: Callable[[Person], None]
) -> None:
    alice = world.person("alice")
    world.google.insert_event(alice.email, world.event("Secret"))
    connect(alice)
    titles(tab, "Secret")
    expired = world.supabase.user_jwt(alice.user_id, alice.email, expires_in=-60)
    tab.evaluate("token => sessionStorage.setItem('access_token', token)", expired)
    tab.reload()

    told(tab, "Your sign-in has ended. Please sign in again.")
    expect(tab.get_by_role("button", name="Sign in with Google")).to_be_visible()
    titles(tab)
    assert tab.evaluate("sessionStorage.getItem('access_token')") is None


def test_everybody_can_use_it_in_light_and_dark_and_on_a_phone(
    world: World, tab: Page, connect: Callable[[Person], None]
) -> None:
    alice = world.person("alice")
    long = "Quarterly " * 12 + "x" * 120
    for number, title in enumerate((long, "Plan")):
        world.google.insert_event(alice.email, world.event(title, hours=number + 2))
    connect(alice)
    titles(tab, long, "Plan")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            tab.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
            assert found.violations_count == 0, (scheme, width, found.generate_report())
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"wider than {width}"
