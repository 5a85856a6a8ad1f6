"""The example's page connects users both ways: its own code, run against the service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sync.core.accounts.oauth_flow import ASKED_SCOPES
from sync.web.openapi.document import document
from tests.docs.pages import ROOT
from tests.web.consent import assert_nothing_stored, come_back, consent, query_of, stored
from tests.world import Person, World

EXAMPLE = ROOT / "examples" / "connect"
PAGE = "http://127.0.0.1:5173/"
NODE = shutil.which("node")
CALL = re.compile(r'post\(config, session, "([^"]+)", \{\s*(.*?),?\s*\}\)', re.DOTALL)
needs_node = pytest.mark.skipif(NODE is None, reason="the page's code takes Node")


@pytest.fixture
def page(world: World, tmp_path: Path) -> Path:
    """The example, with the service's address in its configuration."""
    world.restart_service(CONNECT_REDIRECT_URLS=PAGE)
    copy = Path(shutil.copytree(EXAMPLE, tmp_path / "page"))
    (copy / "package.json").write_text('{"type": "module"}')
    config = {"service": world.service.url, "supabase": world.supabase.url}
    (copy / "config.js").write_text(f"export const config = {json.dumps(config)}")
    return copy / "page.js"


def browse(page: Path, *visits: dict[str, str]) -> list[dict[str, Any]]:
    """What each visit of one tab shows."""
    browser = Path(__file__).with_name("browser.mjs")
    asked = json.dumps({"page": page.as_uri(), "visits": visits})
    done = subprocess.run([str(NODE), browser], input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def signed_in(world: World, person: Person, **more: str) -> str:
    """The URL that Supabase's sign-in leads back to."""
    session = {"access_token": world.supabase.user_jwt(person.user_id, person.email), **more}
    return f"{PAGE}#{urlencode(session)}"


def test_every_call_of_the_example_is_as_the_service_documents_it() -> None:
    calls = CALL.findall((EXAMPLE / "connect.js").read_text())

    assert len(calls) == 4
    for path, fields in calls:
        body = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        names = set(re.findall(r"(?:^|,\s*)(\w+)", fields))
        assert set(body.get("required", ())) <= names <= set(body["properties"]), path


@needs_node
def test_the_sign_in_asks_for_what_the_service_needs_and_its_grant_is_handed_over(world: World, page: Path) -> None:
    alice = world.person()
    back = signed_in(world, alice, provider_refresh_token=alice.refresh_token)

    there, here, later = browse(page, {"url": PAGE, "click": "sign-in"}, {"url": back}, {"url": PAGE})

    asked = query_of(there["went"])
    assert urlsplit(there["went"]).path == "/auth/v1/authorize"
    assert set(asked["scopes"].split()) == set(ASKED_SCOPES)
    assert (asked["provider"], asked["access_type"], asked["prompt"]) == ("google", "offline", "consent")
    assert (here["address"], here["calendars"]) == (PAGE, ["primary"])
    assert alice.email in here["told"]
    assert (stored(world, alice) or {})["google_account"] == alice.email
    # Handed over once: a reload has nothing to hand over.
    assert (later["told"], later["asked"]) == ("Signed in.", [])


@needs_node
def test_a_consent_is_completed_by_who_began_it_and_undone_by_a_button(world: World, page: Path) -> None:
    alice = world.person()
    (there,) = browse(page, {"url": signed_in(world, alice)}, {"url": PAGE, "click": "connect"})[1:]
    back = come_back(consent(there["went"])).headers["location"]

    _, here, undone = browse(
        page, {"url": signed_in(world, alice)}, {"url": back}, {"url": PAGE, "click": "disconnect"}
    )

    assert (here["address"], here["calendars"]) == (PAGE, ["primary"])
    assert alice.email in here["told"]
    assert "no token is kept" in undone["told"]


@needs_node
def test_who_consents_on_anothers_link_is_told_so_and_gives_nothing(world: World, page: Path) -> None:
    mallory, vera = world.person("mallory"), world.person("vera")
    _, there = browse(page, {"url": signed_in(world, mallory)}, {"url": PAGE, "click": "connect"})
    back = come_back(consent(there["went"])).headers["location"]
    handle = parse_qs(urlsplit(back).fragment)["handle"][0]

    _, here = browse(page, {"url": signed_in(world, vera)}, {"url": back})

    assert "Somebody else began this connection" in here["told"]
    assert handle not in here["address"]
    for person in (mallory, vera):
        assert_nothing_stored(world, person)


@needs_node
def test_who_declines_is_told_that_nothing_was_connected(world: World, page: Path) -> None:
    alice = world.person()
    _, there = browse(page, {"url": signed_in(world, alice)}, {"url": PAGE, "click": "connect"})
    world.google.configure(consent="deny")
    back = come_back(consent(there["went"])).headers["location"]

    _, here = browse(page, {"url": signed_in(world, alice)}, {"url": back})

    assert here["told"] == "You declined. Nothing was connected."
    assert (here["asked"], here["address"]) == ([], PAGE)
