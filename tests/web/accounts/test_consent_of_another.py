"""A consent link that somebody else began: whoever opens it and agrees gives their calendar to nobody."""

from __future__ import annotations

import pytest

from tests.web.calls import CONNECT, assert_problem, bearer, call
from tests.web.consent import (
    COMPLETE,
    HOME,
    assert_nothing_stored,
    begin,
    come_back,
    complete,
    connect,
    consent,
    finish,
    handle_of,
    jwt,
)
from tests.world import Person, World


@pytest.fixture
def world(world: World) -> World:
    world.restart_service(CONNECT_REDIRECT_URLS=HOME)
    return world


def test_the_way_back_from_google_alone_connects_nothing(world: World) -> None:
    """Mallory sends Google's genuine link to Vera, who agrees in their own browser."""
    mallory, vera = world.person("mallory"), world.person("vera")
    world.google.insert_event(vera.email, world.event("Vera's"), notify=False)

    come_back(consent(begin(world, mallory, login_hint=vera.email, prompt="consent")))

    assert_nothing_stored(world, mallory)
    assert world.google_calls("token") == 0


def test_whoever_consented_cannot_complete_it_for_who_began_it_and_then_nobody_can(world: World) -> None:
    mallory, vera = world.person("mallory"), world.person("vera")
    handle = handle_of(come_back(consent(begin(world, mallory, login_hint=vera.email, prompt="consent"))))

    problem = assert_problem(complete(world, vera, handle), 403, "not_your_flow")

    assert mallory.email not in str(problem)
    assert mallory.user_id not in str(problem)
    assert_problem(complete(world, mallory, handle), 400, "handle_used")
    for person in (mallory, vera):
        assert_nothing_stored(world, person)
    assert world.google_calls("token") == 0


def test_who_began_has_nothing_to_complete_with_while_the_handle_is_in_another_browser(world: World) -> None:
    mallory, vera = world.person("mallory"), world.person("vera")
    handle = handle_of(come_back(consent(begin(world, mallory, login_hint=vera.email, prompt="consent"))))
    (flow,) = world.rows("select * from oauth_flows")

    for guess in (handle[:-1], handle + "A", flow["handle_hash"], flow["nonce_hash"], flow["code"][:100], "x"):
        assert_problem(complete(world, mallory, guess), 400, "handle_used")

    assert_nothing_stored(world, mallory)


def test_a_handle_counts_once_and_for_five_minutes(world: World) -> None:
    alice = world.person()
    handle = handle_of(come_back(consent(begin(world, alice))))
    (left,) = world.rows("select extract(epoch from expires_at - now()) as seconds from oauth_flows")
    assert 280 < left["seconds"] <= 300

    assert complete(world, alice, handle).status_code == 200
    assert_problem(complete(world, alice, handle), 400, "handle_used")

    late = handle_of(come_back(consent(begin(world, alice))))
    world.db.execute("update oauth_flows set expires_at = now()")
    assert_problem(complete(world, alice, late), 400, "handle_expired")
    assert world.google_calls("token") == 1


def test_only_a_signed_in_user_completes_and_a_bad_handle_is_named(world: World) -> None:
    alice = world.person()
    handle = handle_of(come_back(consent(begin(world, alice))))
    body = {"handle": handle}

    assert_problem(call(world, COMPLETE, json=body), 401, "unauthorized")
    assert_problem(call(world, COMPLETE, bearer(world.environment["CRON_SECRET"]), json=body), 401, "unauthorized")
    assert_problem(call(world, COMPLETE, bearer(world.supabase.service_key), json=body), 403, "user_needed")
    assert_problem(call(world, COMPLETE, jwt(world, alice), json={}), 400, "handle_missing")
    assert_problem(call(world, COMPLETE, jwt(world, alice), json={"handle": 7}), 400, "handle_malformed")
    assert_problem(call(world, COMPLETE, jwt(world, alice), json={"handle": "x" * 101}), 400, "handle_malformed")
    assert complete(world, alice, handle).status_code == 200


def test_while_another_call_of_the_user_runs_the_handle_is_not_spent(world: World) -> None:
    alice = world.person()
    handle = handle_of(come_back(consent(begin(world, alice))))

    with world.services.leases.turn(alice.user_id) as is_ours:
        assert is_ours
        assert_problem(complete(world, alice, handle), 409, "user_busy")

    assert complete(world, alice, handle).status_code == 200


def test_leaving_takes_what_is_parked_along(world: World) -> None:
    alice = world.person()
    handle = handle_of(come_back(consent(begin(world, alice))))
    assert call(world, "/connect/google/disconnect", jwt(world, alice)).status_code == 200

    assert_problem(complete(world, alice, handle), 400, "handle_used")


def notices(world: World, person: Person) -> list[str]:
    found = world.rows(
        "select message from user_notifications where user_id = %s and kind = 'connected' order by created_at",
        person.user_id,
    )
    return [row["message"] for row in found]


def test_a_user_is_told_which_account_was_connected_and_how_to_undo_it(world: World) -> None:
    alice, private = world.person(), world.person("private")
    handle = handle_of(come_back(consent(begin(world, alice))))

    answer = complete(world, alice, handle).json()

    (notice,) = notices(world, alice)
    assert answer["google_account"] == alice.email
    assert answer["message"] == notice
    for part in (alice.email, "disconnect it in the app", "https://myaccount.google.com/connections"):
        assert part in notice
    # Told once, and of each account.
    assert connect(world, alice) == "connected"
    assert notices(world, alice) == [notice]
    assert finish(world, alice, consent(begin(world, alice, login_hint=private.email, prompt="consent"))) == "connected"
    assert private.email in notices(world, alice)[1]


def test_a_sign_ins_grant_is_told_too_and_an_operators_import_is_not(world: World) -> None:
    alice, bob = world.person(), world.person("bob")

    told = call(world, CONNECT, jwt(world, alice), json={"provider_refresh_token": alice.refresh_token})
    world.connect(bob)

    assert told.json()["google_account"] == alice.email
    assert len(notices(world, alice)) == 1
    assert notices(world, bob) == []
