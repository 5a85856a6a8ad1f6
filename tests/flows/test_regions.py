"""Two regions, one of which fails: it is seen, its channels move, and go back without haste."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from sync.core.polling.region_choice import FAIL_BACK_SECONDS
from sync.jobs.operations.watch_ingress import watch_ingress
from sync.jobs.services import Services
from sync.states import RegionState
from tests.world import TLS, Person, World, wait_until

MINUTE = dt.timedelta(minutes=1)


class Door:
    """What stands in front of a region: passes on what it is sent, or answers in the service's place."""

    def __init__(self, behind: str) -> None:
        self.status: int | None = None
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers = door.status, {}
                if status is None:
                    kept = {key: value for key, value in self.headers.items() if key.lower() != "host"}
                    answer = httpx.post(behind + self.path, content=body, headers=kept, timeout=60, verify=TLS)
                    status = answer.status_code
                    headers = {key: value for key, value in answer.headers.items() if key.startswith("x-")}
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def door_of(world: World) -> Iterator[Door]:
    door = Door(f"http://127.0.0.1:{world.environment['PORT']}")
    yield door
    door.close()


@pytest.fixture
def eu(world: World) -> Iterator[Door]:
    """The door of region eu, where everybody lives; of us it is the service's own."""
    with door_of(world) as door:
        world.restart_service(WEBHOOK_BASE_URL=f"eu={door.url},us=http://localhost:{world.environment['PORT']}")
        # Its clock is the test's, for probes expire.
        extensions = world.service.app.extensions
        extensions["services"] = replace(extensions["services"], clock=world.services.clock)
        yield door


def later(world: World, services: Services, minutes: float) -> dict[str, tuple[RegionState, str | None]]:
    """How the regions stand after so many minutes, looked at in the last of them."""
    world.travel_to(world.now + minutes * MINUTE)
    return {region.name: (region.state, region.reason) for region in watch_ingress(services)}


def doors_of(world: World, person: Person) -> list[str]:
    """The regions to which a person's live channels point."""
    found = world.rows("select address from calendar_channels where user_id = %s and state = 'live'", person.user_id)
    return ["us" if row["address"].startswith("http://localhost") else "eu" for row in found]


def home(world: World, region: str) -> Person:
    """A person whose calendar lives in a region."""
    names = ["eu", "us"]
    while True:
        person = world.person()
        world.connect(person)
        if doors_of(world, person) == [region]:
            return person
        calendar = world.calendar(person)["id"]
        assert names[calendar.int % 2] != region, "each calendar begins at home"


def renew_everything(world: World) -> None:
    world.db.execute("update calendar_webhooks set expiration_time = now(), watch_retry_at = null")
    world.renew()


def test_a_region_whose_door_is_shut_is_left_and_gone_back_to_without_flapping(world: World, eu: Door) -> None:
    services = world.services
    alice, bob = home(world, "eu"), home(world, "us")
    assert later(world, services, 1) == {"eu": (RegionState.HEALTHY, None), "us": (RegionState.HEALTHY, None)}

    eu.status = 502
    assert [later(world, services, 1)["eu"][0] for _ in range(3)] == ["healthy", "healthy", "sick"]
    (finding,) = world.rows("select kind, name, reason from push_findings()")
    assert finding == {"kind": "region_sick", "name": "eu", "reason": "probe_status_502"}

    world.reset_counters()
    world.renew()
    world.renew()
    assert (doors_of(world, alice), doors_of(world, bob)) == (["us"], ["us"])
    assert world.google_calls("events.watch") == len(world.rows("select 1 from calendar_webhooks")) - _at(world, "us")
    world.google.insert_event(alice.email, world.event("Pushed elsewhere"))
    wait_until(lambda: "Pushed elsewhere" in world.live_titles(alice), "push comes through the other door")

    eu.status = None
    assert [later(world, services, 1)["eu"][0] for _ in range(3)] == ["sick", "sick", "healthy"]
    assert world.rows("select * from push_findings()") == []
    renew_everything(world)
    assert doors_of(world, alice) == ["us"], "too early to go back"

    eu.status = 503
    assert [later(world, services, 1)["eu"][0] for _ in range(3)][-1] == "sick"
    eu.status = None
    for _ in range(3):
        later(world, services, 1)
    later(world, services, FAIL_BACK_SECONDS / 60)
    renew_everything(world)
    assert doors_of(world, alice) == ["us"], "it came and went: twice the patience"

    later(world, services, FAIL_BACK_SECONDS / 60)
    renew_everything(world)
    assert (doors_of(world, alice), doors_of(world, bob)) == (["eu"], ["us"])


def _at(world: World, region: str) -> int:
    """Calendars whose home is there."""
    names = ["eu", "us"]
    return sum(names[row["id"].int % 2] == region for row in world.rows("select id from calendar_webhooks"))


def test_a_door_at_which_somebody_else_answers_is_no_door(world: World, eu: Door) -> None:
    services = world.services
    eu.status = 200
    assert [later(world, services, 1) for _ in range(3)][-1] == {
        "eu": (RegionState.SICK, "probe_foreign_answer"),
        "us": (RegionState.HEALTHY, None),
    }


def test_with_all_regions_shut_nobody_moves(world: World) -> None:
    world.connect(world.person())
    world.stop_service()
    services = world.services
    for _ in range(3):
        later(world, services, 1)
    world.reset_counters()

    assert world.renew().outcomes == ()

    (finding,) = world.rows("select kind, reason from push_findings()")
    assert finding == {"kind": "region_sick", "reason": "probe_not_connected"}
    assert world.google_calls("events.watch") == 0


MANY = 6


@pytest.fixture
def busy(world: World) -> Person:
    """Alice with many calendars that change all the time, as is known of them; from now on Google's pushes get lost."""
    alice = world.person()
    names = [f"{number}-{alice.email}" for number in range(MANY)]
    for name in names:
        world.google.add_calendar(alice.email, name)
    world.connect(alice, names)
    extensions = world.service.app.extensions
    extensions["services"] = replace(extensions["services"], clock=world.services.clock)
    # A thousand changes in a week, all announced.
    world.db.execute(
        "update calendar_webhooks set belief_changes = 1000, belief_change_days = 7, belief_announced = 60,"
        " last_webhook_received = now()"
    )
    world.google.configure(push="drop")
    later(world, world.services, 1)
    world.reset_counters()
    return alice


def until(world: World, state: RegionState) -> str | None:
    """Why the only region has come to this state, looked at every nine minutes."""
    for _ in range(12):
        found, reason = later(world, world.services, 9)["default"]
        if found is state:
            return reason
    raise AssertionError(f"it never was {state}")


def test_a_silence_that_hides_changes_is_one_finding_and_a_few_looks(world: World, busy: Person) -> None:
    world.db.execute("update calendar_webhooks set due_at = now() + interval '1 day', due_reason = 'poll_interval'")
    assert until(world, RegionState.SILENT) == "silence"
    for row in world.rows("select google_calendar_id from calendar_webhooks"):
        world.google.insert_event(row["google_calendar_id"], world.event("Unannounced"))
    world.travel_to(world.now + 9 * MINUTE)

    looked_at = world.sweep().outcomes
    assert until(world, RegionState.SICK) == "pushes_missed"

    assert {outcome.reason for outcome in looked_at} == {"region_silent"}
    assert len(world.rows("select * from push_findings()")) == 1
    found = world.rows("select * from calendar_webhooks")
    # The door is blamed, not the channel and not the recall of the calendar; and another channel would not help.
    assert {row["webhook_failures"] for row in found} == {1}
    assert all(row["belief_missed"] < 0.2 and row["belief_doubt"] < 0.1 for row in found)
    world.renew()
    assert world.google_calls("events.watch") == 0
    states = {row["push_state"] for row in world.rows("select push_state from calendar_status")}
    assert states == {"suspect"}


def test_a_silence_in_which_nothing_changes_is_a_holiday(world: World, busy: Person) -> None:
    assert until(world, RegionState.SILENT) == "silence"
    assert len(world.sweep().outcomes) == MANY
    assert until(world, RegionState.HEALTHY) == "few_changes"
    world.reset_counters()
    for _ in range(6):
        assert later(world, world.services, 9)["default"][0] is RegionState.HEALTHY
    assert world.rpcs().get("look_through_region") is None
