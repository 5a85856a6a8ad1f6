"""Walking through Google's consent page as a browser does: there, back, and on to the app."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.web.calls import bearer, call
from tests.world import TLS, Person, World

START = "/connect/google"
CALLBACK = "/connect/google/callback"
COMPLETE = "/connect/google/complete"
DISCONNECT = "/connect/google/disconnect"
CALENDARS = "/functions/v1/calendars"
HOME = "https://app.example.com/calendar"
OTHER = "https://app.example.com/settings?tab=calendar#top"
EVENTS = "https://www.googleapis.com/auth/calendar.events.readonly"
LISTS = "https://www.googleapis.com/auth/calendar.calendarlist.readonly"


def jwt(world: World, person: Person) -> dict[str, str]:
    """The person's sign-in, which names the address of their Google account."""
    return bearer(world.supabase.user_jwt(person.user_id, person.email))


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def begin(world: World, person: Person, **body: Any) -> str:
    """The URL of the consent page."""
    answer = call(world, START, jwt(world, person), json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


def consent(url: str) -> str:
    """The user looks at the page (and does what the emulator's switches say): the URL that Google sends back to."""
    answer = httpx.get(url, verify=TLS, timeout=60)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def come_back(url: str) -> httpx.Response:
    return httpx.get(url, timeout=30, verify=TLS)


def result_of(answer: httpx.Response) -> str:
    """The code that the app is told."""
    assert answer.status_code == 303, answer.text
    return query_of(answer.headers["location"])["result"]


def handle_of(answer: httpx.Response) -> str:
    """What the app is to complete the connection with."""
    assert result_of(answer) == "consented"
    page, _, fragment = answer.headers["location"].partition("#")
    # A server that logs what it is asked for never sees it.
    assert "handle" not in page
    return parse_qs(fragment.rpartition("?")[2])["handle"][0]


def complete(world: World, person: Person, handle: str) -> httpx.Response:
    """The app's page, with whoever is signed in to it."""
    return call(world, COMPLETE, jwt(world, person), json={"handle": handle})


def finish(world: World, person: Person, way_back: str) -> str:
    """Back to the app from Google, and to the end: "connected", or why not."""
    answer = come_back(way_back)
    if result_of(answer) != "consented":
        return result_of(answer)
    done = complete(world, person, handle_of(answer))
    return "connected" if done.status_code == 200 else str(done.json()["code"])


def connect(world: World, person: Person, **body: Any) -> str:
    """The whole way; what it came to."""
    return finish(world, person, consent(begin(world, person, **body)))


def stored(world: World, person: Person) -> dict[str, Any] | None:
    found = world.rows("select * from google_credentials where user_id = %s", person.user_id)
    return found[0] if found else None


def assert_nothing_stored(world: World, person: Person) -> None:
    assert stored(world, person) is None
    assert world.rows("select 1 from calendar_webhooks where user_id = %s", person.user_id) == []
