"""Who comes back from Google's consent page through an address that strangers have used up."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from sync.core.accounts.oauth_flow import FlowState, read_state, sign_state
from sync.web.doors.limits import RETURNS_PER_STATE, UNPROVEN_PER_MINUTE
from tests.web.calls import CRON, WEBHOOK, assert_problem
from tests.web.consent import CALLBACK, HOME, begin, consent, query_of, result_of
from tests.web.strangers import Client
from tests.world import World


@pytest.fixture
def stranger(world: World) -> Iterator[Client]:
    world.restart_service(TRUSTED_PROXIES="1", CONNECT_REDIRECT_URLS=HOME)
    client = Client(world)
    yield client
    client.close()


def way_back(world: World) -> str:
    """Google's redirect of somebody who began, and consented: its path and query."""
    parts = urlsplit(consent(begin(world, world.person())))
    return f"{parts.path}?{parts.query}"


def with_state(world: World, path: str, **changes: object) -> str:
    """The same return with another state, signed as only the service can."""
    secrets = world.settings.channel_token_secrets
    state = read_state(secrets, query_of(path)["state"])
    assert state
    changed: FlowState = dataclasses.replace(state, **changes)  # type: ignore[arg-type]
    return f"{CALLBACK}?{urlencode({**query_of(path), 'state': sign_state(secrets[0], changed)})}"


def test_an_honest_return_passes_a_closed_window(world: World, stranger: Client) -> None:
    path = way_back(world)
    stranger.be_refused_too_often()

    assert result_of(stranger.get(path)) == "consented"


def test_a_state_passes_a_closed_window_a_few_times_only(world: World, stranger: Client) -> None:
    path = way_back(world)
    stranger.be_refused_too_often()

    results = [stranger.get(path).status_code for _ in range(RETURNS_PER_STATE + 2)]

    assert results == [303] * RETURNS_PER_STATE + [429] * 2
    assert result_of(Client(world, "203.0.113.8").get(path)) == "state_used"


@pytest.mark.parametrize("kind", ["expired", "forged", "missing"])
def test_no_other_state_passes_a_closed_window(world: World, stranger: Client, kind: str) -> None:
    path = way_back(world)
    bad = {
        "expired": with_state(world, path, expires_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        "forged": path.replace("state=", "state=x"),
        "missing": CALLBACK,
    }
    stranger.be_refused_too_often()

    assert_problem(stranger.get(bad[kind]), 429, "too_many_requests")


@pytest.mark.parametrize("kind", ["used", "expired"])
def test_what_is_spent_proves_nothing(world: World, stranger: Client, kind: str) -> None:
    path = way_back(world)
    if kind == "expired":
        path = with_state(world, path, expires_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    else:
        stranger.get(path)
    for _ in range(UNPROVEN_PER_MINUTE - 1):
        assert stranger.post(WEBHOOK).status_code == 401

    assert result_of(stranger.get(path)) == f"state_{kind}"

    assert_problem(stranger.post(CRON), 429, "too_many_requests")


def test_a_flow_that_was_taken_does_not_count_against_its_address(world: World, stranger: Client) -> None:
    path = way_back(world)
    for _ in range(UNPROVEN_PER_MINUTE - 1):
        assert stranger.post(WEBHOOK).status_code == 401

    assert result_of(stranger.get(path)) == "consented"

    assert_problem(stranger.post(CRON), 401, "unauthorized")
