"""Ways back from Google's consent page that connect nothing: declined, replayed, late, forged, foreign, interrupted."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx
import pytest

from sync.core.accounts.oauth_flow import FlowState, read_state, sign_state
from tests.web.calls import assert_no_secret, assert_problem, call
from tests.web.consent import (
    CALLBACK,
    EVENTS,
    HOME,
    LISTS,
    OTHER,
    assert_nothing_stored,
    begin,
    come_back,
    complete,
    connect,
    consent,
    finish,
    handle_of,
    query_of,
    result_of,
    stored,
)
from tests.world import Person, World

NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture
def world(world: World) -> World:
    world.restart_service(CONNECT_REDIRECT_URLS=f"{HOME},{OTHER}")
    return world


def back(world: World, **query: str) -> httpx.Response:
    """A return that Google did not make."""
    return call(world, f"{CALLBACK}?{urlencode(query)}", method="GET")


def flow_state(world: World, url: str) -> FlowState:
    state = read_state(world.settings.channel_token_secrets, query_of(url)["state"])
    assert state is not None
    return state


def signed(world: World, state: FlowState, **changes: object) -> str:
    """A state that only we could have made."""
    fields = {name: getattr(state, name) for name in ("nonce", "user_id", "redirect_to", "expires_at")}
    return sign_state(world.settings.channel_token_secrets[0], FlowState(**{**fields, **changes}))


def test_a_user_who_declines_is_told_and_nothing_is_stored(world: World) -> None:
    alice = world.person()
    world.google.configure(consent="deny")

    assert connect(world, alice, redirect_to=OTHER) == "access_denied"

    assert_nothing_stored(world, alice)
    assert world.google_calls("token") == 0


def test_another_error_of_google_is_told_without_its_text(world: World) -> None:
    alice = world.person()
    answer = back(world, state=query_of(begin(world, alice))["state"], error="<script>admin_policy_enforced")

    assert answer.headers["location"] == f"{HOME}?result=google_refused"
    assert_nothing_stored(world, alice)


@pytest.mark.parametrize("unticked", [[EVENTS], [LISTS], [EVENTS, LISTS]])
def test_an_unticked_scope_stores_nothing(world: World, unticked: list[str]) -> None:
    alice = world.person()
    world.google.configure(untick_scopes=unticked)

    assert connect(world, alice) == "scope_missing"

    assert_nothing_stored(world, alice)
    world.google.configure(untick_scopes=[])
    assert connect(world, alice) == "connected"


def test_an_unticked_scope_leaves_an_earlier_connection_alone(world: World) -> None:
    alice = world.person()
    connect(world, alice)
    before = stored(world, alice)
    world.google.configure(untick_scopes=[EVENTS])

    assert connect(world, alice, prompt="consent") == "scope_missing"

    assert stored(world, alice) == before
    world.google.insert_event(alice.email, world.event("Still followed"))
    world.await_equal(alice)


@pytest.mark.parametrize("consented", ["grant", "deny"])
def test_a_return_counts_once(world: World, consented: str) -> None:
    alice = world.person()
    world.google.configure(consent=consented)
    way_back = consent(begin(world, alice))
    finish(world, alice, way_back)
    rows = stored(world, alice)
    calls = world.google_calls("token")

    assert [result_of(come_back(way_back)) for _ in range(2)] == ["state_used", "state_used"]

    assert stored(world, alice) == rows
    assert world.google_calls("token") == calls


def test_of_many_returns_at_once_one_is_parked(world: World) -> None:
    alice = world.person()
    way_back = consent(begin(world, alice))
    assert world.service

    with ThreadPoolExecutor(6) as pool:
        results = sorted(pool.map(lambda _: result_of(come_back(way_back)), range(6)))

    assert results == ["consented", *["state_used"] * 5]


def test_of_many_completions_at_once_one_connects(world: World) -> None:
    alice = world.person()
    handle = handle_of(come_back(consent(begin(world, alice))))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: complete(world, alice, handle), range(6)))

    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert {answer.json().get("code") for answer in answers} <= {None, "user_busy", "handle_used"}
    assert len([answer for answer in answers if answer.status_code == 200]) == 1
    assert world.google_calls("token") == 1


def test_a_lost_answer_of_the_store_is_no_replay(world: World) -> None:
    alice = world.person()
    way_back = consent(begin(world, alice))
    world.supabase.fault("park_oauth_flow", "drop_after")
    world.supabase.fault("complete_oauth_flow", "drop_after")

    assert finish(world, alice, way_back) == "connected"


def test_a_return_after_its_time_is_late(world: World) -> None:
    alice = world.person()
    url = begin(world, alice)
    way_back = consent(url)
    world.db.execute("update oauth_flows set expires_at = now()")
    assert result_of(come_back(way_back)) == "state_expired"

    late = signed(world, flow_state(world, url), expires_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))
    assert result_of(back(world, state=late, code=query_of(way_back)["code"])) == "state_expired"
    assert_nothing_stored(world, alice)
    assert world.google_calls("token") == 0


def test_a_flow_lives_for_ten_minutes(world: World) -> None:
    left = flow_state(world, begin(world, world.person())).expires_at - dt.datetime.now(dt.UTC)
    assert dt.timedelta(minutes=9, seconds=50) < left <= dt.timedelta(minutes=10)


def test_a_state_that_is_not_ours_goes_nowhere(world: World) -> None:
    alice = world.person()
    url = begin(world, alice)
    state, code = query_of(url)["state"], query_of(consent(url))["code"]
    payload, _, signature = state.partition(".")
    strange = sign_state("a-secret-of-somebody", flow_state(world, url))
    world.reset_counters()

    for forged in ("", "x", state[:-1], f"{state}A", f"{payload}.", f".{signature}", strange, "é" * 9, "x" * 9000):
        answer = back(world, state=forged, code=code)
        assert_problem(answer, 400, "state_invalid")
        assert_no_secret(world, answer, alice)
        assert "location" not in answer.headers

    # Neither the store nor Google was asked for any of them.
    assert "park_oauth_flow" not in world.rpcs()
    assert world.google.counters()["calls"] == {}
    assert_nothing_stored(world, alice)
    assert result_of(back(world, state=state, code=code)) == "consented"


def test_a_return_without_anything_goes_nowhere(world: World) -> None:
    assert_problem(back(world), 400, "state_invalid")
    assert_problem(back(world, code="4/code", error="access_denied"), 400, "state_invalid")


def test_a_state_of_before_a_secret_was_rotated_still_counts(world: World) -> None:
    alice = world.person()
    way_back = consent(begin(world, alice))
    old = world.environment["CHANNEL_TOKEN_SECRET"]
    world.restart_service(CHANNEL_TOKEN_SECRET=f"a-newer-secret-0123456,{old}")
    assert world.service

    assert finish(world, alice, way_back) == "connected"


def test_a_page_that_was_taken_off_the_list_is_not_returned_to(world: World) -> None:
    alice = world.person()
    way_back = consent(begin(world, alice, redirect_to=OTHER))
    world.restart_service(CONNECT_REDIRECT_URLS=HOME)
    assert world.service

    assert_problem(come_back(way_back), 400, "state_invalid")
    assert_nothing_stored(world, alice)


def test_nobody_connects_with_the_code_of_anothers_flow(world: World) -> None:
    """Alice's code under Bob's state, and the other way round: PKCE ties each code to the flow it was made in."""
    alice, bob = world.person(), world.person("bob")
    alices, bobs = consent(begin(world, alice)), consent(begin(world, bob))

    for person, own, others in ((bob, bobs, alices), (alice, alices, bobs)):
        answer = back(world, state=query_of(own)["state"], code=query_of(others)["code"])
        assert_problem(complete(world, person, handle_of(answer)), 422, "code_refused")

    for person in (alice, bob):
        assert_nothing_stored(world, person)


def test_a_flow_belongs_to_the_user_who_began_it(world: World) -> None:
    """Even a state that we signed ourselves moves no flow to another user."""
    alice, bob = world.person(), world.person("bob")
    url = begin(world, alice)
    code = query_of(consent(url))["code"]

    for other in (bob.user_id, NOBODY):
        state = signed(world, flow_state(world, url), user_id=other)
        assert result_of(back(world, state=state, code=code)) == "state_used"
    assert_nothing_stored(world, bob)
    assert_nothing_stored(world, alice)


def test_a_verifier_moved_to_another_flow_opens_nothing(world: World) -> None:
    alice = world.person()
    first, second = begin(world, alice), begin(world, alice)
    world.db.execute(
        "update oauth_flows set verifier = (select verifier from oauth_flows order by created_at desc limit 1)"
    )

    assert finish(world, alice, consent(first)) == "needs_reauth"
    assert_nothing_stored(world, alice)
    assert finish(world, alice, consent(second)) == "connected"


@pytest.mark.parametrize("whose", ["alice", "mallory"])
def test_a_code_moved_to_another_flow_opens_nothing(world: World, whose: str) -> None:
    people = {"alice": world.person(), "mallory": world.person("mallory")}
    come_back(consent(begin(world, people[whose])))
    (parked,) = world.rows("select code from oauth_flows")
    handle = handle_of(come_back(consent(begin(world, people["mallory"]))))
    world.db.execute("update oauth_flows set code = %s", (parked["code"],))

    assert_problem(complete(world, people["mallory"], handle), 409, "needs_reauth")
    assert_nothing_stored(world, people["mallory"])
    assert world.google_calls("token") == 0


@pytest.mark.parametrize("code", ["4/made-up", "", "é", "x" * 5000, "a\nb"])
def test_a_made_up_code_connects_nothing(world: World, code: str) -> None:
    alice = world.person()
    answer = back(world, state=query_of(begin(world, alice))["state"], code=code)

    if result_of(answer) == "consented":
        assert_problem(complete(world, alice, handle_of(answer)), 422, "code_refused")
    else:
        assert result_of(answer) == "google_refused"
    assert_nothing_stored(world, alice)


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ("backend_503", "google_unavailable"),
        ("reset_after", "google_unavailable"),
        ("malformed_json", "google_unavailable"),
        ("invalid_client", "google_project_refused"),
        ("invalid_grant", "code_refused"),
    ],
)
def test_a_token_endpoint_in_trouble_leaves_nothing_half_done(world: World, fault: str, result: str) -> None:
    alice = world.person()
    world.google.add_fault(fault, method="token", times=1)

    assert connect(world, alice) == result

    assert_nothing_stored(world, alice)
    assert connect(world, alice) == "connected"


def test_a_wrong_redirect_uri_is_the_services_own_fault(world: World) -> None:
    alice = world.person()
    way_back = consent(begin(world, alice))
    world.restart_service(WEBHOOK_BASE_URL="https://elsewhere.example.com")

    way_back = way_back.replace("https://elsewhere.example.com", world.service.url)
    assert finish(world, alice, way_back) == "google_project_refused"


@pytest.mark.parametrize("rpc", ["park_oauth_flow", "complete_oauth_flow", "read_connection", "connect_calendars"])
def test_a_store_that_is_away_leaves_nothing_half_done(world: World, rpc: str) -> None:
    alice = world.person()
    way_back = consent(begin(world, alice))
    world.supabase.fault(rpc, "http_500", times=4)

    assert finish(world, alice, way_back) == ("try_again" if rpc == "park_oauth_flow" else "store_unavailable")

    world.supabase.clear_faults()
    assert_nothing_stored(world, alice)


def test_a_user_who_was_deleted_meanwhile_connects_nothing(world: World) -> None:
    alice = world.person()
    way_back = consent(begin(world, alice))
    world.db.execute("delete from auth.users where id = %s", (alice.user_id,))

    assert result_of(come_back(way_back)) == "state_used"
    assert world.rows("select 1 from google_credentials") == []


def test_a_calendar_that_cannot_be_watched_is_polled_and_connected(world: World) -> None:
    alice: Person = world.person()
    world.google.add_fault("webhook_unauthorized")

    assert connect(world, alice) == "connected"
    world.await_equal(alice)
