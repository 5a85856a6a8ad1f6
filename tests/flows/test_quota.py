"""Replicas under a quota much smaller than what is due: hardly a refusal, the order of the lanes, nobody starved."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from sync.core.polling.purse import Lane
from sync.errors import QuotaWait
from sync.jobs.driving.driver import Driver
from sync.jobs.operations.follow_budget import follow_polling_budget
from sync.jobs.services import Services
from sync.states import SyncStatus
from tests.world import JsonObject, Person, World, wait_until

A_MINUTE = 75.0
# Of each replica: as many requests are under way when Google first refuses one.
THREADS = 4


@dataclass
class Fleet:
    """Three replicas, and the time that passes for them, for the store's leases and for Google."""

    world: World
    replicas: list[Services]
    since: str
    passed: list[float] = field(default_factory=lambda: [0.0])

    def sweep(self) -> list[str]:
        """All three sweep at once; what came of it."""
        with ThreadPoolExecutor(3) as pool:
            swept = list(pool.map(self.world.sweep, self.replicas))
        return [outcome.status for each in swept for outcome in each.outcomes]

    def pass_a_minute(self) -> None:
        self.passed[0] += A_MINUTE
        self.world.google.advance(A_MINUTE)
        for step in (1e9, -1e9 - A_MINUTE):
            self.world.db.execute(
                "update google_quota_leases set ends_at = ends_at + make_interval(secs => %s)", (step,)
            )
        self.world.db.execute(
            "update google_quota set shrunk_at = shrunk_at - make_interval(secs => %(s)s),"
            " blocked_until = blocked_until - make_interval(secs => %(s)s)",
            {"s": A_MINUTE},
        )
        # Backoff and waits are over as well.
        self.world.db.execute(
            "update calendar_webhooks set due_at = least(due_at, now()), not_before = null where last_synced_at < %s",
            (self.since,),
        )

    def synced(self) -> Counter[str]:
        """Calendars of each user that were synced."""
        rows = self.world.rows(
            "select user_id::text, count(*) from calendar_webhooks where last_synced_at >= %s group by 1", self.since
        )
        return Counter({row["user_id"]: row["count"] for row in rows})

    @property
    def refused(self) -> int:
        statuses: dict[str, int] = self.world.google.counters()["statuses"].get("events.list", {})
        return sum(count for status, count in statuses.items() if status in ("403", "429"))


def fleet(world: World, people: list[tuple[Person, int]], per_minute: int = 10_000) -> Fleet:
    """Of each person so many calendars, all due, the first person's for the longest."""
    for age, (person, count) in enumerate(people):
        names = [f"team{number}.{person.email}" for number in range(count - 1)]
        for name in names:
            world.google.add_calendar(person.email, name)
        world.connect(person, ["primary", *names])
        world.db.execute(
            "update calendar_webhooks set due_at = now() - interval '1 hour' + make_interval(mins => %s),"
            " not_before = null where user_id = %s",
            (age, person.user_id),
        )
    world.google.configure(push="drop")
    world.stop_service()
    world.google.advance(A_MINUTE)
    world.let_quota_recover()
    since = world.rows("select clock_timestamp()::text as now")[0]["now"]
    passed = [0.0]
    replicas = [
        world.services_with(
            monotonic=lambda: time.monotonic() + passed[0],
            GOOGLE_REQUESTS_PER_MINUTE=str(per_minute),
            SWEEP_SECONDS="1",
            SYNC_THREADS=str(THREADS),
        )
        for _ in range(3)
    ]
    world.reset_counters()
    return Fleet(world, replicas, since, passed)


def use_up(services: Services, lane: Lane) -> None:
    """All that the lane gets now."""
    with suppress(QuotaWait):
        for _ in range(100):
            services.quota.take(lane, str(uuid.uuid4()))
    assert services.quota.waits(lane)


def status(world: World) -> JsonObject:
    return world.rows("select * from google_quota_status()")[0]


def test_three_replicas_keep_a_tight_quota_and_starve_nobody(world: World) -> None:
    alice, others = world.person(), [world.person(f"user{number}") for number in range(10)]
    people = [(alice, 50), *((person, 1) for person in others)]
    three = fleet(world, people, per_minute=20)
    world.google.configure(project_quota_per_minute=20)
    # The last of all is notified; the others become due in the second minute, behind what is left of the fifty.
    world.db.execute(
        "update calendar_webhooks set notifications_seen = notifications_seen + 1 where user_id = %s",
        (others[-1].user_id,),
    )
    world.db.execute(
        "update calendar_webhooks set due_at = now() + interval '1 hour' where user_id = any(%s::uuid[])",
        ([person.user_id for person in others[:-1]],),
    )

    outcomes = three.sweep()
    first = three.synced()
    assert first[others[-1].user_id] == 1
    assert 10 <= first.total() <= 20
    assert three.refused == 0
    # What is not to be had is given back untouched, and not claimed again.
    assert set(outcomes) <= {SyncStatus.COMPLETED, SyncStatus.RELEASED}
    assert len(outcomes) <= 60
    assert not world.rows("select 1 from calendar_webhooks where lease_expires_at is not null")

    # One that has heard how little there is looks first in the next minute: it finds all the others, and has enough for
    # each of them.
    three.pass_a_minute()
    knowing = next(replica for replica in three.replicas if replica.quota.per_user())
    assert knowing.quota.room_for(12) == {"notified": 8, "first": 3, "poll": 12}, "polls keep a third"
    world.sweep(knowing)
    assert len(three.synced()) == 11, "those with one calendar wait for none of the fifty"
    rounds = 0
    while three.synced().total() < 60:
        three.pass_a_minute()
        three.sweep()
        rounds += 1
        assert rounds <= 8, three.synced()
    assert three.refused == 0
    assert not world.rows("select 1 from calendar_webhooks where consecutive_failures > 0")
    assert status(world)["used_this_minute"] <= 20


@pytest.mark.parametrize("quota_status", ["403", "429"])
def test_a_quota_smaller_than_what_is_configured_is_found_by_few_refusals(world: World, quota_status: str) -> None:
    people = [(world.person(f"user{number}"), 7) for number in range(6)]
    three = fleet(world, people)
    world.google.configure(project_quota_per_minute=15, quota_status=quota_status)

    three.sweep()
    at_first = three.refused
    # Those that were under way when the first was refused.
    assert 1 <= at_first <= 3 * THREADS
    assert status(world)["rate_per_minute"] < 100

    rounds = 0
    while three.synced().total() < 42:
        three.pass_a_minute()
        three.sweep()
        rounds += 1
        assert rounds <= 12, (three.synced(), three.refused)
    assert three.refused - at_first <= 3 * rounds
    for replica in three.replicas:
        replica.polling.report()
    seen = status(world)
    assert seen["refused_today"] == three.refused
    assert seen["billable_today"] == 42


def test_a_slowed_user_slows_nobody_else(world: World) -> None:
    alice, bob = world.person(), world.person("bob")
    three = fleet(world, [(alice, 12), (bob, 6)])
    world.google.configure(user_quota_per_minute=8, retry_after_seconds=30)

    three.sweep()

    assert three.synced() == {alice.user_id: 8, bob.user_id: 6}
    assert three.refused <= 3 * THREADS
    assert status(world)["users_slowed"] == 1
    assert status(world)["rate_per_minute"] == 10_000
    before = three.refused
    world.make_due(alice)
    three.sweep()
    assert three.refused <= before + 3, "each replica learns it once at most"


def test_without_the_quotas_call_a_process_spends_a_little_alone(world: World) -> None:
    alice = world.person()
    three = fleet(world, [(alice, 10)], per_minute=600)
    world.supabase.fault("lease_google_quota", "http_500", times=100)
    services = three.replicas[0]

    world.sweep(services)
    assert three.synced().total() == 2
    services.quota.take(Lane.PERSON, alice.user_id)

    world.supabase.clear_faults()
    three.pass_a_minute()
    world.sweep(services)
    assert three.synced().total() == 10


def test_a_person_connects_while_nothing_is_left_for_others(world: World) -> None:
    """Whoever gets none is told so."""
    alice, bob = world.person(), world.person("bob")
    three = fleet(world, [(alice, 12)], per_minute=10)
    three.sweep()
    services = three.replicas[0]
    use_up(services, Lane.POLL)

    for _ in range(3):
        services.quota.take(Lane.PERSON, bob.user_id)

    with pytest.raises(QuotaWait):
        services.quota.take(Lane.POLL, alice.user_id)


def test_a_driver_claims_nothing_of_a_lane_that_waits(world: World) -> None:
    alice, bob = world.person(), world.person("bob")
    three = fleet(world, [(alice, 6), (bob, 1)], per_minute=8)
    services = three.replicas[0]
    use_up(services, Lane.POLL)
    world.db.execute(
        "update calendar_webhooks set notifications_seen = notifications_seen + 1 where user_id = %s", (bob.user_id,)
    )
    driver = Driver(services)
    driver.start()
    wait_until(lambda: three.synced()[bob.user_id], "the notified one is synced")
    driver.shut_down()

    assert three.synced()[alice.user_id] == 0
    assert world.rpcs().get("release_calendar", 0) == 0


def test_a_long_listing_goes_on_as_the_quota_allows(world: World) -> None:
    alice = world.person()
    world.google.bulk_insert(alice.email, [world.event(f"M{n}", hours=n + 1) for n in range(6)])
    three = fleet(world, [(alice, 1)], per_minute=10)
    world.google.add_fault("small_pages", size=1)
    world.db.execute("update calendar_webhooks set sync_token = null")
    services = three.replicas[0]
    use_up(services, Lane.POLL)

    with world.in_background(lambda: world.sweep(services)):
        wait_until(lambda: world.google_calls("events.list") >= 1, "its first page")
        wait_until(lambda: services.quota.waits(Lane.FIRST), "it waits")
        assert three.synced().total() == 0
        three.pass_a_minute()
        wait_until(lambda: three.synced().total() == 1, "it has come to its end")
    world.assert_equal(alice)
    assert world.google_calls("events.list.full") == 6 or world.google_calls("events.list") == 6


def test_what_is_billed_is_forecast_and_told(world: World) -> None:
    alice = world.person()
    three = fleet(world, [(alice, 3)])
    services = three.replicas[0]
    world.google.add_fault("backend_503", method="events.list", times=1)
    world.sweep(services)
    world.db.execute(
        "insert into google_requests (project, day, polls, requests)"
        " select 'all', (now() at time zone 'America/Los_Angeles')::date - 1, 0, 2400"
    )

    ahead = follow_polling_budget(services)

    seen = status(world)
    assert seen["billable_today"] == 3, "a refusal is not billed"
    assert seen["polls_today"] == 3
    assert 3 <= ahead.today <= 3 + 2400 * 1.05
    assert (seen["forecast_today"], seen["forecast_month"]) == (ahead.today, ahead.month)
    assert ahead.month >= ahead.today
    assert seen["exhausted_in_days"] is None
