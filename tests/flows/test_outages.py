"""An upstream is down for everybody: it costs a handful of probes, counts against nobody, and everything is made up
for once it is back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sync.clients.breakers import GOOGLE_API, TOKEN_ENDPOINT
from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services, build_services
from sync.states import CircuitState
from tests.world import Person, World, wait_until

TEN_MINUTES, STEP = 600, 10
# Up to the fifth failure, by as many threads as there are; then one after 5, 10, 20, 40, 60 … seconds, or a quarter
# sooner.
MOST_CALLS = 8 + 16


class Seconds:
    """The breakers' clock."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def process(world: World, seconds: Seconds) -> Services:
    """A process whose breakers live on that clock."""
    return build_services(world.settings, monotonic=seconds)


@pytest.fixture
def people(world: World) -> list[Person]:
    """Each with a synced calendar and a new meeting that nobody has announced."""
    people = [world.person(name) for name in ("alice", "bob", "carol")]
    for person in people:
        world.connect(person)
    world.stop_service()
    world.google.configure(push="drop")
    for person in people:
        world.google.insert_event(person.email, world.event("New"))
    world.reset_counters()
    return people


def endure(world: World, process: Services, seconds: Seconds) -> None:
    """Ten minutes in which every calendar wants to be synced, again and again."""
    for _ in range(TEN_MINUTES // STEP):
        world.make_due()
        world.sweep(process)
        seconds.now += STEP


def assert_made_up_for(world: World, process: Services, seconds: Seconds, people: list[Person]) -> None:
    world.google.clear_faults()
    seconds.now += 60
    # The first is the probe; the others, who came beside it, wait for a second or two.
    for _ in range(3):
        world.make_due()
        world.sweep(process)
    for person in people:
        world.assert_equal(person)
        calendar = world.calendar(person)
        assert (calendar["consecutive_failures"], calendar["last_error_code"]) == (0, None)
        assert (calendar["claims_unended"], calendar["paused_reason"]) == (0, None)
    assert {row["status"] for row in world.rows("select status from calendar_sync_logs")} == {"completed"}
    assert {row["status"] for row in world.rows("select status from google_credentials")} == {"connected"}
    assert {reading.state for reading in process.breakers.read()} == {CircuitState.CLOSED}


def test_google_down_costs_probes_and_counts_against_no_calendar(
    world: World, process: Services, seconds: Seconds, people: list[Person]
) -> None:
    world.google.add_fault("backend_503")

    endure(world, process, seconds)

    assert 8 <= world.google_calls("events.list") <= MOST_CALLS
    (reading,) = [each for each in process.breakers.read() if each.upstream == GOOGLE_API]
    assert (reading.state, reading.opened, reading.error_code) == (CircuitState.OPEN, 1, "backendError")
    # What is due waits unclaimed: a look in which no probe is due claims nothing.
    assert world.rpcs()["claim_due_calendars"] < 3 * MOST_CALLS
    assert_made_up_for(world, process, seconds, people)


def test_token_endpoint_down_costs_probes_and_loses_no_connection(
    world: World, process: Services, seconds: Seconds, people: list[Person]
) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    world.google.add_fault("reset_before", method="token")

    endure(world, process, seconds)

    assert 8 <= world.google_calls("token") <= MOST_CALLS
    assert world.google_calls("events.list") == 0
    assert TOKEN_ENDPOINT in {each.upstream for each in process.breakers.read() if each.state is CircuitState.OPEN}
    assert_made_up_for(world, process, seconds, people)


def test_watches_wait_for_google_without_a_failure(
    world: World, process: Services, seconds: Seconds, people: list[Person]
) -> None:
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 minute'")
    world.google.add_fault("backend_503")
    world.make_due()
    world.sweep(process)
    world.reset_counters()

    # A probe, if it is due, and nothing else.
    for _ in range(3):
        world.renew(process)
        seconds.now += STEP

    assert sum(world.google.counters()["calls"].values()) <= 2
    assert {row["watch_failures"] for row in world.rows("select watch_failures from calendar_webhooks")} == {0}
    world.google.clear_faults()
    seconds.now += 60
    world.db.execute("update calendar_webhooks set watch_retry_at = null")
    # The first is the probe.
    world.renew(process)
    assert world.renew(process).remaining == 0


def test_one_persons_trouble_is_no_outage(world: World, process: Services, people: list[Person]) -> None:
    world.google.add_fault("backend_503", calendar=people[0].email, retry_after=10)
    for _ in range(6):
        world.make_due(people[0])
        world.sweep(process)

    assert world.calendar(people[0])["consecutive_failures"] == 6
    world.make_due(people[1])
    assert [outcome.status for outcome in world.sweep(process).outcomes] == ["completed"]


def test_an_outage_of_ours_leaves_no_rush(world: World) -> None:
    """A poll a minute may be spent; twelve have been due for ten minutes when the service comes back."""
    alice = world.person()
    names = [f"{number}-{alice.email}" for number in range(12)]
    for name in names:
        world.google.add_calendar(alice.email, name)
    world.connect(alice, names)
    world.stop_service()
    world.db.execute(
        "update calendar_webhooks set due_at = now() - interval '10 minutes', due_reason = 'poll_interval',"
        " last_webhook_received = null"
    )
    world.reset_counters()

    driver = Driver(world.services_with(SYNC_THREADS="1", POLL_BUDGET_PER_DAY="1440"))
    driver.start()
    wait_until(lambda: world.rpcs().get("spread_late_polls", 0) > 1, "the backlog is spread")
    driver.shut_down()

    waits = [
        row["seconds"]
        for row in world.rows(
            "select extract(epoch from due_at - now())::float8 as seconds from calendar_webhooks"
            " where due_at < now() + interval '13 minutes' order by due_at"
        )
    ]
    # Some are synced before the others are put off.
    assert len(waits) >= 8
    gaps = [later - sooner for sooner, later in pairwise(waits)]
    assert min(gaps) > 50
    assert waits[-1] > 500
