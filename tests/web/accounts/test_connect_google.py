"""Connecting through Google's consent page, over real HTTP from the app's button to the synced calendar."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from tests.web.calls import CONNECT, assert_no_secret, assert_problem, bearer, call
from tests.web.consent import (
    CALLBACK,
    EVENTS,
    HOME,
    LISTS,
    OTHER,
    START,
    assert_nothing_stored,
    begin,
    come_back,
    complete,
    connect,
    consent,
    finish,
    handle_of,
    jwt,
    query_of,
    stored,
)
from tests.world import World, wait_until


@pytest.fixture
def world(world: World) -> World:
    """A service that sends users back to its front end."""
    world.restart_service(CONNECT_REDIRECT_URLS=f"{HOME}, {OTHER}")
    return world


def test_a_user_connects_and_their_calendar_follows(world: World) -> None:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Before"), notify=False)

    handle = handle_of(come_back(consent(begin(world, alice))))
    answer = complete(world, alice, handle)

    assert answer.status_code == 200, answer.text
    assert answer.json()["google_account"] == alice.email
    assert [calendar["google_calendar_id"] for calendar in answer.json()["calendars"]] == ["primary"]
    world.await_equal(alice)
    world.google.insert_event(alice.email, world.event("After", hours=5))
    wait_until(lambda: world.live_titles(alice) == ["Before", "After"], "the pushed meeting")


def test_a_get_with_the_header_is_sent_on_to_google(world: World) -> None:
    alice = world.person()

    answer = call(world, f"{START}?redirect_to={HOME}", jwt(world, alice), method="GET")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(world.settings.google_auth_uri)
    assert finish(world, alice, consent(answer.headers["location"])) == "connected"


def test_tokens_are_stored_as_ciphertext_and_shown_nowhere(world: World) -> None:
    alice = world.person()
    url = begin(world, alice)
    way_back = consent(url)
    answer = come_back(way_back)
    (flow,) = world.rows("select * from oauth_flows")
    done = complete(world, alice, handle_of(answer))

    row = stored(world, alice)
    assert row is not None
    assert (row["status"], row["scopes"]) == ("connected", [EVENTS, LISTS])
    assert row["access_token"].startswith("v2.")
    assert row["refresh_token"].startswith("v2.")
    assert_no_secret(world, answer, alice)
    assert_no_secret(world, done, alice)
    location = answer.headers["location"]
    assert re.fullmatch(r"https://app\.example\.com/calendar\?result=consented#handle=[\w-]{43}", location)
    code = query_of(way_back)["code"]
    assert code not in str(answer.headers) + answer.text + done.text + str(flow)
    assert flow["code"].startswith("v2.")
    assert handle_of(answer) not in str(flow)
    assert not {"code_verifier", "token"} & set(query_of(url))


def test_nothing_on_the_way_is_cached_or_passed_on_as_a_referrer(world: World) -> None:
    alice = world.person()
    there = call(world, START, jwt(world, alice), json={})
    back = come_back(consent(there.json()["url"]))
    done = complete(world, alice, handle_of(back))
    lost = call(world, CALLBACK, method="GET")

    for answer in (there, back, done, lost, call(world, START, method="GET")):
        assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


def test_the_consent_page_is_asked_for_the_least_with_pkce_and_offline(world: World) -> None:
    alice = world.person()
    asked = query_of(begin(world, alice))

    assert asked["scope"].split() == [EVENTS, LISTS]
    assert (asked["access_type"], asked["code_challenge_method"]) == ("offline", "S256")
    assert asked["redirect_uri"] == f"{world.service.url}{CALLBACK}"
    assert "include_granted_scopes" not in asked
    flow = world.rows("select * from oauth_flows")[0]
    assert flow["verifier"].startswith("v2.")
    assert asked["code_challenge"] not in str(flow)
    assert query_of(begin(world, alice))["code_challenge"] != asked["code_challenge"]


def test_google_comes_back_to_the_first_region(world: World) -> None:
    alice = world.person()
    url = world.service.url
    world.restart_service(WEBHOOK_BASE_URL=f"eu={url},us=https://us.example.com")

    assert query_of(begin(world, alice))["redirect_uri"] == f"{url}{CALLBACK}"


def test_google_is_told_which_account_is_meant(world: World) -> None:
    alice = world.person()

    assert query_of(begin(world, alice))["login_hint"] == alice.email
    assert query_of(begin(world, alice, login_hint="other@example.com"))["login_hint"] == "other@example.com"


def test_consent_is_forced_only_where_no_working_refresh_token_is_stored(world: World) -> None:
    alice = world.person()
    assert query_of(begin(world, alice))["prompt"] == "consent"
    assert connect(world, alice) == "connected"

    assert "prompt" not in query_of(begin(world, alice))
    assert query_of(begin(world, alice, prompt="consent"))["prompt"] == "consent"

    world.db.execute("update google_credentials set status = 'needs_reauth'")
    assert query_of(begin(world, alice))["prompt"] == "consent"


def test_connecting_again_without_a_new_refresh_token_keeps_the_stored_one(world: World) -> None:
    alice = world.person()
    connect(world, alice)
    refresh = world.services.vault.open(alice.user_id, "refresh", stored(world, alice)["refresh_token"])  # type: ignore[index]

    assert connect(world, alice) == "connected"

    again = world.services.vault.open(alice.user_id, "refresh", stored(world, alice)["refresh_token"])  # type: ignore[index]
    assert again == refresh


def test_another_account_without_a_refresh_token_does_not_pass_for_the_stored_one(world: World) -> None:
    alice, private = world.person(), world.person("private")
    connect(world, alice)
    before = stored(world, alice)

    assert connect(world, alice, login_hint=private.email) == "no_refresh_token"
    assert stored(world, alice) == before

    assert connect(world, alice, login_hint=private.email, prompt="consent") == "connected"
    world.google.insert_event(private.email, world.event("Private"))
    wait_until(lambda: "Private" in world.live_titles(alice), "the other account's meeting")


def test_no_refresh_token_and_none_stored_connects_nothing(world: World) -> None:
    alice = world.person()
    connect(world, alice)
    url = begin(world, alice)
    world.db.execute("delete from google_credentials")
    world.db.execute("delete from calendar_webhooks")

    assert finish(world, alice, consent(url)) == "no_refresh_token"
    assert_nothing_stored(world, alice)
    assert connect(world, alice) == "connected"


def test_a_stored_refresh_token_that_died_meanwhile_does_not_count(world: World) -> None:
    alice = world.person()
    connect(world, alice)
    way_back = consent(begin(world, alice))
    world.google.revoke(alice.email)
    world.google.grant(alice.email)  # so that Google takes the account for one that has consented

    assert finish(world, alice, way_back) == "no_refresh_token"


@pytest.mark.parametrize("path", ["consent page", "connect-calendar"])
def test_the_end_of_a_grant_of_an_app_in_testing_is_kept(world: World, path: str) -> None:
    world.google.configure(app_in_testing=True)
    alice = world.person()

    if path == "consent page":
        assert connect(world, alice) == "connected"
    else:
        world.connect(alice)

    row = stored(world, alice)
    assert row is not None
    left = row["refresh_token_expires_at"] - dt.datetime.now(dt.UTC)
    assert abs(left - dt.timedelta(days=7)) < dt.timedelta(minutes=1)


def test_a_published_apps_grant_has_no_end(world: World) -> None:
    alice = world.person()
    world.google.configure(app_in_testing=True)
    connect(world, alice)
    world.google.configure(app_in_testing=False)

    assert connect(world, alice, prompt="consent") == "connected"

    assert stored(world, alice)["refresh_token_expires_at"] is None  # type: ignore[index]


def test_connecting_again_goes_on_with_the_calendars_that_were_chosen(world: World) -> None:
    alice = world.person()
    world.google.add_calendar(alice.email, "team@example.com")
    world.connect(alice, ["team@example.com"])

    assert connect(world, alice) == "connected"

    assert [row["google_calendar_id"] for row in world.rows("select * from calendar_webhooks")] == ["team@example.com"]


def test_another_account_that_lacks_the_chosen_calendars_brings_its_primary_one(world: World) -> None:
    alice, private = world.person(), world.person("private")
    world.google.add_calendar(alice.email, "team@example.com")
    world.connect(alice, ["team@example.com"])

    assert connect(world, alice, login_hint=private.email, prompt="consent") == "connected"

    assert world.calendar(alice)["is_active"] is True


@pytest.mark.parametrize(("asked", "sent_to"), [(None, HOME), (HOME, HOME), (OTHER, OTHER)])
def test_the_user_returns_to_a_page_on_the_list(world: World, asked: str | None, sent_to: str) -> None:
    alice = world.person()
    answer = come_back(consent(begin(world, alice, redirect_to=asked)))

    base, _, fragment = sent_to.partition("#")
    result = f"{'&' if '?' in base else '?'}result=consented"
    handle = f"{fragment}?handle=" if fragment else "handle="
    assert answer.headers["location"] == f"{base}{result}#{handle}{handle_of(answer)}"


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example.com/",
        f"{HOME}/",
        f"{HOME}?x=1",
        f"{HOME}#",
        HOME.upper(),
        HOME.replace("https", "http"),
        "//app.example.com/calendar",
        "/calendar",
        "javascript:alert(1)",
        "https://app.example.com@evil.example.com/calendar",
    ],
)
def test_no_other_page_is_returned_to(world: World, asked: str) -> None:
    alice = world.person()

    for answer in (
        call(world, START, jwt(world, alice), json={"redirect_to": asked}),
        call(world, START, jwt(world, alice), method="GET", params={"redirect_to": asked}),
    ):
        assert_problem(answer, 400, "redirect_not_allowed")
    assert world.rows("select 1 from oauth_flows") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"redirect_to": 7}, "redirect_to_malformed"),
        ({"redirect_to": "https://app.example.com/" + "x" * 3000}, "redirect_to_malformed"),
        ({"redirect_to": "https://app.example.com/\n"}, "redirect_to_malformed"),
        ({"login_hint": ["a"]}, "login_hint_malformed"),
        ({"prompt": "none"}, "prompt_malformed"),
    ],
)
def test_a_bad_field_is_named(world: World, body: dict[str, Any], code: str) -> None:
    assert_problem(call(world, START, jwt(world, world.person()), json=body), 400, code)


def test_without_a_list_of_pages_the_flow_says_what_to_set(world: World) -> None:
    world.restart_service(CONNECT_REDIRECT_URLS="")
    alice = world.person()

    for method in ("GET", "POST"):
        problem = assert_problem(call(world, START, jwt(world, alice), method=method), 501, "connect_not_configured")
        assert "CONNECT_REDIRECT_URLS" in problem["detail"]


def test_only_a_signed_in_user_begins(world: World) -> None:
    key, cron = world.supabase.service_key, world.environment["CRON_SECRET"]
    for method in ("GET", "POST"):
        assert_problem(call(world, START, method=method), 401, "unauthorized")
        assert_problem(call(world, START, bearer(cron), method=method), 401, "unauthorized")
        assert_problem(call(world, START, bearer(key), method=method), 403, "user_needed")


def test_a_user_who_was_deleted_is_told_so(world: World) -> None:
    alice = world.person()
    world.db.execute("delete from auth.users where id = %s", (alice.user_id,))

    assert_problem(call(world, START, jwt(world, alice), json={}), 404, "user_unknown")


def test_flows_are_few_and_expired_ones_go(world: World) -> None:
    alice, bob = world.person(), world.person("bob")
    begin(world, bob)
    world.db.execute("update oauth_flows set expires_at = now()")

    for _ in range(25):
        begin(world, alice)

    assert world.rows("select user_id, count(*) as n from oauth_flows group by 1") == [
        {"user_id": world.rows("select user_id from oauth_flows")[0]["user_id"], "n": 20}
    ]


@pytest.mark.parametrize("scopes", [[LISTS], ["openid"], ["https://www.googleapis.com/auth/calendar.freebusy"]])
def test_connect_calendar_refuses_a_grant_that_reads_no_events(world: World, scopes: list[str]) -> None:
    alice = world.person()
    token = world.google.grant(alice.email, scopes=scopes)

    answer = call(world, CONNECT, jwt(world, alice), json={"provider_refresh_token": token})

    assert_problem(answer, 422, "scope_missing")
    assert token not in answer.text
    assert_nothing_stored(world, alice)


@pytest.mark.parametrize("name", ["calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly"])
def test_connect_calendar_takes_any_scope_that_reads_events(world: World, name: str) -> None:
    alice = world.person()
    token = world.google.grant(alice.email, scopes=[f"https://www.googleapis.com/auth/{name}"])

    answer = call(world, CONNECT, jwt(world, alice), json={"provider_refresh_token": token})

    assert answer.status_code == 200, answer.text
