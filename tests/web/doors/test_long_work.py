"""What may take long takes a place of the share that there is for it; what does not, never waits for one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sync.web.doors.long_work import FOR_USERS
from tests.web.calls import CONNECT, CRON, POLL, assert_problem, call
from tests.web.consent import CALENDARS, CALLBACK, COMPLETE, DISCONNECT, START, jwt
from tests.world import World

EXPLAIN = "/functions/v1/explain"


@pytest.fixture
def full_house(world: World) -> Iterator[World]:
    """Every place for users is taken."""
    with ExitStack() as stack:
        for _ in range(FOR_USERS):
            stack.enter_context(world.service.app.extensions["long_work"].for_user())
        yield world


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (POLL, {}),
        (CONNECT, {"provider_refresh_token": "token"}),
        (f"GET {CALENDARS}", None),
        (CALENDARS, {"calendarIds": ["primary"]}),
        (f"{CALENDARS}/remove", {"calendarIds": ["primary"]}),
        (f"GET {EXPLAIN}?meeting={uuid.UUID(int=7)}", None),
        (f"GET {EXPLAIN}?event=one", None),
        (COMPLETE, {"handle": "handle"}),
        (DISCONNECT, {}),
    ],
)
def test_long_work_is_turned_away_once_its_share_is_taken(full_house: World, path: str, body: object) -> None:
    method, _, target = path.rpartition(" ")
    alice = full_house.person()

    answer = call(full_house, target, jwt(full_house, alice), method=method or "POST", json=body)

    assert_problem(answer, 503, "too_much_at_once")
    assert int(answer.headers["retry-after"]) > 0


def test_short_work_and_sweeps_go_on_meanwhile(full_house: World) -> None:
    alice = full_house.person()

    assert call(full_house, START, jwt(full_house, alice), json={}).status_code == 501  # not configured here
    assert call(full_house, f"{CALLBACK}?state=x", method="GET").status_code == 400
    assert call(full_house, CRON, {"apikey": full_house.supabase.service_key}).status_code == 200
