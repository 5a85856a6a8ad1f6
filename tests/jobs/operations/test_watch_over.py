"""One round after another: what is wrong is told once, again seldom, and once more when it is over; to each destination
by itself. The destinations are real: Apprise sends, and a server on this machine takes or does not."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sync.core.operations.alert_course import WELL_FOR
from sync.errors import StoreUnavailable
from sync.jobs.operations.tell_alerts import tell_alerts
from sync.jobs.operations.watch_over import watch_over, watch_over_in_turn
from sync.jobs.services import build_services
from sync.settings import load
from tests.sql.database import at_once
from tests.subscriber import Subscriber, subscriber
from tests.world import Person, World, patient, wait_until


@pytest.fixture
def told() -> Iterator[Subscriber]:
    with subscriber() as told:
        yield told


@pytest.fixture
def alice(world: World) -> Person:
    """With a calendar that has been due for long, and nobody looks."""
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    leave(world)
    return alice


def leave(world: World) -> None:
    world.db.execute("update calendar_webhooks set due_at = now() - interval '1 hour', lease_expires_at = null")


def address(told: Subscriber) -> str:
    """As Apprise writes it; its own time for an answer is four seconds."""
    return f"{told.url.replace('http:', 'json:')}?rto=60"


class Watch:
    """A process that looks after the service, at the time the test says."""

    def __init__(self, world: World, **environment: str) -> None:
        self.now = world.now
        self.services = patient(build_services(load({**world.environment, **environment}), lambda: self.now))

    def round(self, **later: float) -> list[str]:
        self.now += dt.timedelta(**later)
        return [finding.key for finding in watch_over(self.services, is_driving=True)]


def titles(told: Subscriber) -> list[str]:
    return [str(message.body["title"]).removeprefix("[127.0.0.1] ") for message in told.messages]


def deliveries(world: World) -> dict[str, str]:
    return {row["destination"]: row["state"] for row in world.rows("select destination, state from alert_deliveries")}


def test_what_is_wrong_is_told_once_again_a_day_later_and_when_it_is_over(
    world: World, alice: Person, told: Subscriber
) -> None:
    watch = Watch(world, ALERT_URLS=address(told))
    assert watch.round() == ["past_bound"]
    assert watch.round(minutes=1) == ["past_bound"]
    assert titles(told) == ["New: past bound (1)"]
    assert told.messages[0].body["message"] == (
        "New, warning: 1 of 1 calendars are past their bound; most: not_looked_at.\ndocs/alerts.md#past_bound"
    )

    watch.round(hours=23)
    watch.round(hours=1)
    assert titles(told)[1:] == ["Still: past bound (1)"]

    world.db.execute("update calendar_webhooks set due_at = now() + interval '1 hour'")
    assert watch.round(minutes=1) == []
    watch.round(seconds=WELL_FOR.total_seconds())
    watch.round(minutes=1)
    assert titles(told)[2:] == ["Over: past bound (1)"]
    assert [row["state"] for row in world.rows("select state from alerts")] == ["resolved"]


def test_replicas_that_look_at_the_same_time_tell_it_once(world: World, alice: Person, told: Subscriber) -> None:
    replicas = [Watch(world, ALERT_URLS=address(told)) for _ in range(3)]
    at_once(*(replica.round for replica in replicas))
    wait_until(lambda: world.rows("select 1 from alert_deliveries where state = 'delivered'"), "it is told")
    assert titles(told) == ["New: past bound (1)"]
    assert len(world.rows("select 1 from alerts")) == 1


def test_a_destination_that_hangs_holds_up_no_other(world: World, alice: Person, told: Subscriber) -> None:
    may_answer = threading.Event()
    with subscriber() as hanging:
        hanging.answer = lambda _message: 204 if may_answer.wait(60) else 500
        watch = Watch(world, ALERT_URLS=f"{address(hanging)}, {address(told)}")
        with world.in_background(watch.round):
            wait_until(
                lambda: world.rows(
                    "select 1 from alert_deliveries where destination = 'json-2' and state = 'delivered'"
                ),
                "the other one is told",
            )
            assert world.rows("select state from alert_deliveries where destination = 'json-1'") == [
                {"state": "pending"}
            ]
            may_answer.set()
    assert deliveries(world) == {"json-1": "delivered", "json-2": "delivered"}


def test_what_a_destination_did_not_take_is_sent_again_and_seen(world: World, alice: Person, told: Subscriber) -> None:
    told.answer = lambda _message: 500 if len(told.messages) == 1 else 204
    watch = Watch(world, ALERT_URLS=address(told))
    watch.round()
    (row,) = world.rows("select name, failures, error_code from alert_destinations")
    assert row == {"name": "json-1", "failures": 1, "error_code": "http_500"}
    assert tell_alerts(watch.services) == 0, "its pause is not over"

    world.db.execute("update alert_deliveries set next_attempt_at = now()")
    assert tell_alerts(watch.services) == 1
    assert world.rows("select failures from alert_destinations") == [{"failures": 0}]


def test_what_is_muted_is_recorded_and_told_to_nobody(world: World, alice: Person) -> None:
    watch = Watch(world, ALERT_URLS="json://127.0.0.1:1/", ALERT_MUTE="past_bound,drift")
    watch.round()
    watch.round(hours=25)
    world.db.execute("update calendar_webhooks set due_at = now() + interval '1 hour'")
    watch.round()
    watch.round(minutes=10)
    (alert,) = world.rows("select state, told_at, reminders from alerts")
    assert alert == {"state": "resolved", "told_at": None, "reminders": 0}
    assert world.rows("select 1 from alert_deliveries") == []


def test_the_cron_alone_finds_and_tells_once_a_minute(world: World, alice: Person, told: Subscriber) -> None:
    world.db.execute("update calendar_webhooks set claims_unended = 4, due_at = now() + interval '1 hour'")
    world.restart_service(ALERT_URLS=address(told))
    for _ in range(2):
        assert world.post("/functions/v1/calendar-polling-cron").json()["success"]
    assert titles(told) == ["New: poisoned (1)"]
    assert world.rpcs()["alert_observations"] == 1


def test_a_cron_misses_the_process_that_went_on(world: World) -> None:
    world.db.execute(
        "insert into service_jobs (name, taken_at, taken_by) values ('drive', now() - interval '16 minutes', 'w')"
    )
    watch_over_in_turn(world.services)
    assert [row["key"] for row in world.rows("select key from alerts")] == ["worker_silent"]
    watch_over_in_turn(world.services)
    assert Watch(world).round() == [], "a process that goes on is there"


def test_the_heartbeat_goes_out_after_each_round_that_went_through(world: World, told: Subscriber) -> None:
    watch = Watch(world, HEARTBEAT_URL=told.url)
    told.answer = lambda _message: 500
    watch.round()
    assert len(told.messages) == 1
    world.supabase.fault("alert_observations", "http_500", times=10)
    with pytest.raises(StoreUnavailable):
        watch.round()
    assert len(told.messages) == 1
    world.supabase.clear_faults()
    watch.round()
    assert len(told.messages) == 2


def test_a_watchdog_that_is_gone_matters_to_nobody(world: World) -> None:
    assert Watch(world, HEARTBEAT_URL="http://127.0.0.1:1/").round() == []


def test_the_log_tells_too_and_never_an_address(world: World, alice: Person, capfd: Any) -> None:
    watch = Watch(world, ALERT_URLS="json://monitor:hidden-password@127.0.0.1:1/hidden-token", LOG_LEVEL="debug")
    watch.round()
    (row,) = world.rows("select name, failures, error_code from alert_destinations")
    assert row == {"name": "json-1", "failures": 1, "error_code": "not_taken"}
    written = "".join(capfd.readouterr()) + repr(watch.services) + str(world.rows("select * from alert_deliveries"))
    assert "hidden" not in written
