"""Which upstreams do not answer is said once when it begins and once when it ends, also of the database itself."""

from __future__ import annotations

import pytest

from sync.clients.breakers import DATABASE, GOOGLE_API
from sync.clients.circuit import Breaker
from sync.errors import RetryLater, StoreUnavailable
from sync.jobs.operations.report_breakers import BreakerReports
from sync.jobs.services import Services, build_services
from tests.world import World


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def process(world: World, seconds: Seconds) -> Services:
    services = build_services(world.settings, monotonic=seconds)
    services.in_force.now()
    world.reset_counters()
    return services


def google(process: Services) -> Breaker:
    return process.breakers._all[GOOGLE_API]


def fail(breaker: Breaker) -> None:
    def do() -> None:
        raise RetryLater("http_503")

    for subject in range(5):
        with pytest.raises(RetryLater):
            breaker.call(do, subject=subject)


def test_an_outage_is_told_when_it_begins_and_when_it_ends(world: World, process: Services, seconds: Seconds) -> None:
    reports = BreakerReports(process)
    reports.report()
    assert world.rpcs() == {}

    fail(google(process))
    reports.report()
    reports.report()

    assert world.rpcs() == {"report_breakers": 1}
    (outage,) = world.rows("select * from outages()")
    assert (outage["upstream"], outage["processes"], outage["error_code"]) == (GOOGLE_API, 1, "http_503")
    seconds.now += 60
    google(process).call(lambda: None)
    reports.report()
    assert world.rows("select * from outages()") == []
    (row,) = world.rows("select * from service_breakers")
    assert (row["worker_name"], row["state"], row["times_opened"]) == (process.worker_name, "closed", 1)


def test_an_outage_of_the_database_is_told_after_it(world: World, process: Services, seconds: Seconds) -> None:
    reports = BreakerReports(process)
    world.supabase.fault("*", "http_500", times=1000)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            process.store.claims.sweep_state(1)
    assert process.breakers.down() == [DATABASE]
    reports.report()
    world.supabase.clear_faults()
    seconds.now += 5

    # The report is the probe.
    reports.report()
    reports.report()

    (row,) = world.rows("select * from service_breakers")
    assert (row["upstream"], row["state"]) == (DATABASE, "closed")


def test_a_process_that_is_gone_has_no_outage(world: World, process: Services) -> None:
    fail(google(process))
    BreakerReports(process).report()
    world.db.execute("update service_processes set seen_at = seen_at - interval '3 minutes'")
    assert world.rows("select * from outages()") == []
