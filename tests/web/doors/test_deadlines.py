"""How long a request may keep its caller, by who that is; and that nothing of it outlives the request."""

from __future__ import annotations

import math

import pytest
from flask import Flask

from sync.clients.retrying import seconds_left
from sync.web.doors.deadlines import MESSAGE_SECONDS, PERSON_SECONDS, register_deadlines
from tests.world import World

# By route, as the service names them.
MOST_SECONDS = {
    "webhook.receive": MESSAGE_SECONDS,
    "bot_status.receive": MESSAGE_SECONDS,
    "calendars.add": PERSON_SECONDS,
    "polling.poll_all_due": math.inf,
    "watches.renew": math.inf,
}


@pytest.mark.parametrize(("route", "most_seconds"), MOST_SECONDS.items(), ids=MOST_SECONDS)
def test_each_caller_is_kept_for_so_long_at_most(route: str, most_seconds: float) -> None:
    app = Flask(__name__)
    register_deadlines(app)
    app.add_url_rule("/", route, lambda: str(seconds_left()))

    left = float(app.test_client().get("/").text)

    assert left == pytest.approx(most_seconds, abs=4.0)


def test_a_threads_next_request_has_its_whole_time() -> None:
    """Also after one that failed: the thread is the same."""

    def fail() -> str:
        raise RuntimeError

    app = Flask(__name__)
    register_deadlines(app)
    app.add_url_rule("/", "webhook.receive", fail)

    assert app.test_client().get("/").status_code == 500
    assert seconds_left() == math.inf


def test_the_routes_are_the_services(world: World) -> None:
    assert set(MOST_SECONDS) <= set(world.service.app.view_functions)
