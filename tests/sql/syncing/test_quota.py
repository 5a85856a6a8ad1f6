"""The quota that all processes share: who gets how much of it, and what a refusal changes."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.sql.database import Connection, Database

ALICE, BOB, CHARLIE = (str(uuid.UUID(int=number)) for number in range(1, 4))
LANES = ("person", "notified", "imminent", "first", "poll", "audit")


class Quota:
    """A process that leases, under the limits of a test."""

    def __init__(self, db: Database, most: float = 100, user_most: float = 600) -> None:
        self.db = db
        self.limits = (most, user_most)

    def lease(
        self,
        lanes: dict[str, int],
        users: dict[str, int] | None = None,
        connection: Connection | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        row = (connection or self.db.service).execute(
            "select public.lease_google_quota(%s, %s, %s, %s, %s) as answer",
            (Jsonb(lanes), Jsonb(users or {}), Jsonb(more.get("returned", [])), *self.limits),
        )
        answer: dict[str, Any] = row.fetchall()[0]["answer"]
        return answer

    def drain(self, lane: str, step: int = 7) -> int:
        """All that the lane gets when it asks again and again."""
        total = 0
        while got := self.lease({lane: step})["leased"][lane]:
            total += got
        return total

    def refuse(self, user_id: str, whose: str, retry_after: float | None = None) -> str:
        row = self.db.service.execute(
            "select public.report_google_refusal(%s, %s, %s, %s, %s) ->> 'whose' as whose",
            (user_id, whose, retry_after, *self.limits),
        )
        return str(row.fetchall()[0]["whose"])

    def pass_seconds(self, seconds: float) -> None:
        for step in (1e9, -1e9 - seconds):
            # Far away and back: none of them meets another on the way.
            self.db.admin.execute(
                "update google_quota_leases set ends_at = ends_at + make_interval(secs => %s)", (step,)
            )
        self.db.admin.execute(
            "update google_quota set shrunk_at = shrunk_at - make_interval(secs => %(s)s),"
            " refused_at = refused_at - make_interval(secs => %(s)s),"
            " blocked_until = blocked_until - make_interval(secs => %(s)s)",
            {"s": seconds},
        )

    @property
    def status(self) -> dict[str, Any]:
        return self.db.service.execute("select * from public.google_quota_status()").fetchall()[0]


@pytest.fixture
def quota(db: Database) -> Quota:
    return Quota(db)


def test_no_minute_has_more_than_the_rate(quota: Quota) -> None:
    first = sum(quota.drain(lane) for lane in LANES[1:])
    assert 90 <= first <= 100
    # Spent at the end of its life at the latest: it counts for a minute after that.
    quota.pass_seconds(59)
    assert sum(quota.drain(lane) for lane in LANES[1:]) <= 100 - first
    quota.pass_seconds(70)
    assert quota.drain("poll") > 50


def test_processes_that_lease_at_once_get_the_rate_together(quota: Quota, db: Database) -> None:
    connections = [db.another() for _ in range(4)]

    def drain(connection: Connection) -> int:
        return sum(quota.lease({"poll": 5}, connection=connection)["leased"]["poll"] for _ in range(12))

    with ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(drain, connections))
    assert 60 <= total <= 100
    assert quota.status["used_this_minute"] == total


def test_a_lower_lane_leaves_the_upper_ones_their_share(quota: Quota) -> None:
    polls = quota.drain("poll")
    # The others are idle: all is had but a quarter of what the upper lanes are sure of.
    assert 75 <= polls <= 82
    assert quota.lease({"notified": 8, "imminent": 2})["leased"] == {"notified": 8, "imminent": 2}


def test_lanes_that_all_want_more_get_their_shares(quota: Quota) -> None:
    got: Counter[str] = Counter(quota.lease(dict.fromkeys(LANES[1:], 3))["leased"])
    for _ in range(40):
        # The least urgent asks first.
        for lane in reversed(LANES[1:]):
            got[lane] += quota.lease({lane: 3})["leased"][lane]
    assert got["notified"] >= 30
    assert got["notified"] > got["poll"] >= 15
    assert min(got["imminent"], got["first"]) >= 12
    # More than its share only of what nobody wanted at first.
    assert 1 <= got["audit"] <= 15
    assert got.total() <= 100


def test_a_person_never_waits_for_others(quota: Quota) -> None:
    for lane in LANES[1:]:
        quota.drain(lane)
    answer = quota.lease({"person": 2, "poll": 1}, {})
    assert answer["leased"] == {"person": 2, "poll": 0}
    assert 0.5 <= answer["waits"]["poll"] <= 15


def test_what_is_given_back_is_anothers(quota: Quota) -> None:
    polls = quota.drain("poll")
    last = quota.lease({"poll": 1})
    assert last["leased"]["poll"] == 0
    slots = quota.db.rows("select ends_at::text, leased from google_quota_leases where lane = 'poll' and leased > 0")
    returned = [{"lane": "poll", "ends_at": each["ends_at"], "count": each["leased"]} for each in slots]
    assert quota.lease({"poll": 5}, returned=returned)["leased"]["poll"] >= 5
    assert quota.status["used_this_minute"] < polls


def test_while_little_is_used_a_lease_is_larger_and_lasts_a_minute(db: Database) -> None:
    quota = Quota(db, most=10_000)
    answer = quota.lease({"poll": 1}, {ALICE: 1})
    assert (answer["leased"]["poll"], answer["life_seconds"], answer["user_allowance"]) == (10, 60, 60)
    for _ in range(4):
        quota.lease({"poll": 1000})
    answer = quota.lease({"poll": 1})
    assert (answer["leased"]["poll"], answer["life_seconds"]) == (1, 5)


def test_a_users_own_quota_holds_too(db: Database) -> None:
    quota = Quota(db, most=10_000, user_most=50)
    got = sum(quota.lease({"first": 1}, {ALICE: 15})["users"][ALICE] for _ in range(6))
    # A fifth is left for what processes spend without asking.
    assert got == 40
    assert quota.lease({"first": 1}, {ALICE: 1, BOB: 1})["users"] == {ALICE: 0, BOB: 1}


def test_a_user_with_many_calendars_leaves_room_for_those_with_one(quota: Quota) -> None:
    # Three quarters of all while nobody else wants them, the rest is for those who had less than their part.
    assert sum(quota.lease({}, {ALICE: 20, BOB: 1})["users"][ALICE] for _ in range(10)) in range(60, 76)
    other = str(uuid.uuid4())
    assert quota.lease({}, {other: 3, ALICE: 5, CHARLIE: 3})["users"] == {other: 3, ALICE: 0, CHARLIE: 3}


def test_a_refusal_shrinks_the_rate_once_a_minute_and_it_comes_back(quota: Quota) -> None:
    used = quota.drain("poll")
    assert [quota.refuse(ALICE, "project") for _ in range(5)] == ["project"] * 5
    assert quota.status["rate_per_minute"] == pytest.approx(used * 0.7)
    assert quota.lease({"poll": 1})["leased"]["poll"] == 0

    quota.pass_seconds(61)
    assert quota.status["rate_per_minute"] == pytest.approx(used * 0.7, rel=0.02)
    quota.refuse(ALICE, "project")
    lower = quota.status["rate_per_minute"]
    assert lower < used * 0.7
    rates = []
    for _ in range(30):
        quota.pass_seconds(60)
        rates.append(quota.status["rate_per_minute"])
    assert rates == sorted(rates)
    assert rates[2] < used
    assert rates[-1] == 100


def test_the_rate_never_falls_to_nothing(quota: Quota) -> None:
    for _ in range(40):
        quota.drain("notified")
        quota.refuse(ALICE, "project")
        quota.pass_seconds(61)
    assert quota.status["rate_per_minute"] >= 1
    quota.pass_seconds(70)
    assert quota.lease({"poll": 1})["leased"]["poll"] == 1


def test_retry_after_holds_for_whom_it_was_meant(quota: Quota) -> None:
    assert quota.refuse(ALICE, "user", 30) == "user"
    answer = quota.lease({"poll": 1}, {ALICE: 1, BOB: 1})
    assert answer["users"] == {ALICE: 0, BOB: 1}
    assert 25 < answer["user_waits"][ALICE] <= 30
    assert answer["slowed"] == [ALICE]
    assert answer["leased"]["poll"] > 0

    quota.refuse(ALICE, "project", 20)
    answer = quota.lease({"notified": 1, "person": 1}, {BOB: 1})
    assert answer["leased"] == {"notified": 0, "person": 0}
    assert 15 < answer["waits"]["person"] <= 20
    # What was in use when Google refused has to pass too.
    quota.pass_seconds(130)
    assert quota.lease({"notified": 1}, {ALICE: 1})["leased"]["notified"] > 0


def test_a_refusal_that_names_nobody_is_the_users_until_a_second_user_meets_it(quota: Quota) -> None:
    assert quota.refuse(ALICE, "either") == "user"
    assert quota.refuse(ALICE, "either") == "user"
    assert quota.status["shrunk_at"] is None
    assert quota.refuse(BOB, "either") == "project"
    assert quota.status["shrunk_at"] is not None
    assert quota.status["users_slowed"] == 1


def test_the_status_is_one_row_before_anything_was_asked(quota: Quota) -> None:
    status = quota.status
    assert (status["used_this_minute"], status["refused_today"], status["billable_today"]) == (0, 0, 0)
    assert status["rate_per_minute"] is None
