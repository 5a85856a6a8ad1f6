"""Pages, answers and connections that are odd though nobody refuses anything, seen by clients of the emulator."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from scripts.stack.google.control import GoogleControl
from scripts.stack.google.errors import ControlError
from tests.stack.google_clients import ALICE, WINDOW, Receiver, list_all, official, refused, single, weekly

TEAM = "team@group.calendar.google.com"
CLIENT = {"client_id": "emulator-client", "client_secret": "emulator-secret"}
LISTINGS = {"events.list": "calendars/primary/events", "calendarList.list": "users/me/calendarList"}


@pytest.fixture
def google(google: GoogleControl) -> GoogleControl:
    google.add_account(ALICE, time_zone="Europe/Zurich")
    return google


@pytest.fixture
def api(google: GoogleControl) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {google.access_token(ALICE)}"}
    with httpx.Client(base_url=f"{google.base_url}/calendar/v3/", headers=headers, timeout=60) as client:
        yield client


@pytest.mark.parametrize("method", LISTINGS)
def test_the_last_page_can_name_an_empty_next_page(google: GoogleControl, api: httpx.Client, method: str) -> None:
    google.add_fault("empty_page_token", method=method, times=1)
    page = api.get(LISTINGS[method]).json()
    assert page["nextPageToken"] == ""
    assert page["nextSyncToken"]
    assert "nextPageToken" not in api.get(LISTINGS[method]).json()


@pytest.mark.parametrize("method", LISTINGS)
def test_a_page_can_name_itself_as_the_next(google: GoogleControl, api: httpx.Client, method: str) -> None:
    google.add_fault("repeated_page_token", method=method)
    first = api.get(LISTINGS[method]).json()["nextPageToken"]
    pages = [api.get(LISTINGS[method], params={"pageToken": first}).json() for _ in range(2)]
    assert [page["nextPageToken"] for page in pages] == [first, first]
    assert not any("nextSyncToken" in page for page in pages)


@pytest.mark.parametrize("method", LISTINGS)
def test_pages_can_go_on_for_ever(google: GoogleControl, api: httpx.Client, method: str) -> None:
    google.add_fault("endless_pages", method=method)
    seen: list[str] = []
    while len(seen) < 20:
        seen.append(api.get(LISTINGS[method], params={"pageToken": seen[-1]} if seen else {}).json()["nextPageToken"])
    assert len(set(seen)) == 20
    google.clear_faults()
    assert "nextSyncToken" in api.get(LISTINGS[method], params={"pageToken": seen[-1]}).json()


@pytest.mark.parametrize("method", LISTINGS)
def test_a_listing_can_end_without_a_sync_token(google: GoogleControl, api: httpx.Client, method: str) -> None:
    google.insert_event(ALICE, single())
    google.add_fault("no_sync_token", method=method, times=1)
    page = api.get(LISTINGS[method]).json()
    assert len(page["items"]) == 1
    assert not page.keys() & {"nextPageToken", "nextSyncToken"}


def test_time_zones_can_be_empty(google: GoogleControl, api: httpx.Client) -> None:
    google.add_fault("empty_time_zone", times=1)
    google.add_fault("empty_time_zone", method="calendarList.list", times=1)
    assert api.get(LISTINGS["events.list"]).json()["timeZone"] == ""
    assert api.get(LISTINGS["calendarList.list"]).json()["items"][0]["timeZone"] == ""
    assert api.get(LISTINGS["events.list"]).json()["timeZone"] == "Europe/Zurich"


@pytest.mark.parametrize(
    ("kind", "status", "media"),
    [
        ("html_403", 403, "text/html"),
        ("captive_portal", 200, "text/html"),
        ("backend_500_without_code", 500, "application/json"),
    ],
)
def test_answers_need_not_be_googles(
    google: GoogleControl, api: httpx.Client, kind: str, status: int, media: str
) -> None:
    google.add_fault(kind, times=1)
    answer = api.get(LISTINGS["events.list"])
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, media)
    assert "code" not in answer.text
    assert api.get(LISTINGS["events.list"]).json()["kind"] == "calendar#events"


@pytest.mark.parametrize("status", [502, 520, 521, 525, 530, 540])
def test_a_gateway_speaks_for_the_api_and_for_the_token_endpoint(
    google: GoogleControl, api: httpx.Client, status: int
) -> None:
    google.add_fault("gateway", status=status, times=1)
    assert api.get(LISTINGS["events.list"]).status_code == status
    google.add_fault("gateway", method="token", status=status, times=1)
    assert refresh(google, google.grant(ALICE)).status_code == status
    assert refresh(google, google.grant(ALICE)).status_code == 200


def test_a_gateway_says_only_what_gateways_say(google: GoogleControl) -> None:
    with pytest.raises(ControlError, match="not 418"):
        google.add_fault("gateway", status=418)


def refresh(google: GoogleControl, refresh_token: str) -> httpx.Response:
    """One call of the token endpoint."""
    form = CLIENT | {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return httpx.post(f"{google.base_url}/token", data=form, timeout=60)


def test_token_answers_can_leave_out_their_lifetime(google: GoogleControl) -> None:
    token = google.grant(ALICE)
    assert refresh(google, token).json()["expires_in"] == 3599
    google.configure(omit_expires_in=True)
    assert refresh(google, token).json().keys() == {"access_token", "scope", "token_type"}


@pytest.mark.parametrize("switch", ["token_idle_seconds", "api_idle_seconds"])
def test_an_idle_connection_can_be_closed_unannounced(google: GoogleControl, switch: str) -> None:
    google.configure(**{switch: 0})
    closed, kept = ask_token(google), ask_api(google)
    if switch == "api_idle_seconds":
        closed, kept = kept, closed
    assert answers_on_one_connection(google, kept) == 2
    assert answers_on_one_connection(google, closed) == 1


Ask = Callable[[http.client.HTTPConnection], None]


def ask_token(google: GoogleControl) -> Ask:
    body = urlencode(CLIENT | {"grant_type": "refresh_token", "refresh_token": google.grant(ALICE)})
    return lambda connection: connection.request("POST", "/token", body)


def ask_api(google: GoogleControl) -> Ask:
    headers = {"Authorization": f"Bearer {google.access_token(ALICE)}"}
    return lambda connection: connection.request("GET", "/calendar/v3/users/me/calendarList", headers=headers)


def answers_on_one_connection(google: GoogleControl, ask: Ask) -> int:
    """How many of two requests on one connection are answered; no answer may have announced its end."""
    address = urlsplit(google.base_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    connection.connect()
    connection.auto_open = 0  # a second connection would hide what became of the first
    answered = 0
    with contextlib.closing(connection), contextlib.suppress(http.client.RemoteDisconnected, ConnectionError):
        while answered < 2:
            ask(connection)
            answer = connection.getresponse()
            assert (answer.status, answer.headers.get("Connection")) == (200, None)
            answer.read()
            answered += 1
    return answered


def test_one_refused_credential_can_pass(google: GoogleControl, api: httpx.Client) -> None:
    token = google.grant(ALICE)
    google.add_fault("invalid_grant", times=1)
    google.add_fault("lost_access_401", times=1)
    assert [refresh(google, token).status_code for _ in range(2)] == [400, 200]
    assert [api.get(LISTINGS["events.list"]).status_code for _ in range(2)] == [401, 200]


def test_channels_can_live_for_a_day(google: GoogleControl) -> None:
    hook = Receiver()
    google.configure(channel_max_ttl_seconds=86400, channel_default_ttl_seconds=86400)
    body = {"id": "day", "type": "web_hook", "address": hook.url, "params": {"ttl": "604800"}}
    official(google).events().watch(calendarId="primary", body=body).execute()
    google.advance(86400 - 60)
    assert google.channels()[0]["state"] == "live"
    google.advance(120)
    assert google.channels()[0]["state"] == "expired"
    hook.close()


def test_the_handshake_of_a_lost_watch_answer_still_comes(google: GoogleControl) -> None:
    hook = Receiver()
    google.add_fault("lost_watch_answer", times=1)
    headers = {"Authorization": f"Bearer {google.access_token(ALICE)}"}
    with pytest.raises(httpx.TransportError):
        httpx.post(
            f"{google.base_url}/calendar/v3/calendars/primary/events/watch",
            json={"id": "lost", "type": "web_hook", "address": hook.url},
            headers=headers,
        )
    assert google.wait_push_idle()
    assert hook.numbers("lost", state="sync") == [1]
    assert google.channels()[0]["state"] == "live"
    hook.close()


def test_hidden_calendars_are_listed_when_asked_for(google: GoogleControl) -> None:
    google.add_calendar(ALICE, TEAM)
    lists = official(google).calendarList()
    token = lists.list().execute()["nextSyncToken"]
    google.hide_calendar(ALICE, TEAM)
    assert [item["id"] for item in lists.list().execute()["items"]] == [ALICE]
    shown = {item["id"]: item.get("hidden", False) for item in lists.list(showHidden=True).execute()["items"]}
    assert shown == {ALICE: False, TEAM: True}
    (entry,) = lists.list(syncToken=token).execute()["items"]
    assert (entry["id"], entry["hidden"]) == (TEAM, True)
    with refused(400, "syncTokenWithRequestRestrictions"):
        lists.list(syncToken=token, showHidden=False).execute()
    google.insert_event(TEAM, single())
    assert len(list_all(official(google), TEAM)[0]) == 1
    google.hide_calendar(ALICE, TEAM, hidden=False)
    assert len(lists.list().execute()["items"]) == 2


ODD_ITEMS: list[Any] = [
    {"id": "oneday", "status": "confirmed", "start": {"date": "2026-03-02"}, "end": {"date": "2026-03-02"}},
    {"id": "nul", "status": "confirmed", "summary": "a\u0000b", "start": {"dateTime": "2026-03-02T09:00:00"}},
    {"id": 7, "recurrence": "RRULE:FREQ=DAILY;X-WHAT=1"},
    None,
]


def test_listings_can_say_what_nobody_may_store(google: GoogleControl) -> None:
    kept = google.insert_event(ALICE, single())
    service = official(google)
    _, token = list_all(service)
    for item in ODD_ITEMS:
        google.plant_item(ALICE, item)
    assert list_all(service, syncToken=token)[0] == ODD_ITEMS
    assert list_all(service, showDeleted=False)[0][1:] == ODD_ITEMS
    assert [item["id"] for item in google.instances(ALICE, *WINDOW)] == [kept["id"]]
    mended = {"id": "oneday", "status": "cancelled"}
    google.plant_item(ALICE, mended)
    assert list_all(service)[0][1:] == [*ODD_ITEMS[1:], mended]


def test_a_push_can_come_before_its_change(google: GoogleControl) -> None:
    hook = Receiver()
    service = official(google)
    body = {"id": "early", "type": "web_hook", "address": hook.url}
    service.events().watch(calendarId="primary", body=body).execute()
    _, token = list_all(service)
    google.announce(ALICE)
    assert google.wait_push_idle()
    assert len(hook.numbers("early")) == 1
    assert list_all(service, syncToken=token)[0] == []
    google.insert_event(ALICE, single(), notify=False)
    assert len(list_all(service, syncToken=token)[0]) == 1
    hook.close()


def test_how_recurrence_lines_are_read_is_switched_for_api_and_oracle(google: GoogleControl) -> None:
    lines = ["RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE;VALUE=DATE:20260309"]
    master = google.insert_event(ALICE, weekly() | {"recurrence": lines})
    service = official(google)

    def counts() -> tuple[int, int]:
        instances = service.events().instances(calendarId="primary", eventId=master["id"]).execute()["items"]
        return len(instances), len(google.instances(ALICE, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"))

    assert counts() == (4, 4)
    google.configure(date_exdate_removes_day=True)
    assert counts() == (3, 3)
