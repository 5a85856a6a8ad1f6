"""Google throttles, fails, breaks off or refuses: the sync backs off, loses nothing, and converges once it is over."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.world import Person, World


@pytest.fixture
def alice(world: World) -> Person:
    """A synced calendar with one unannounced new meeting, due now."""
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Kept", hours=9), notify=False)
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("New"))
    world.make_due(alice)
    world.reset_counters()
    return alice


def stores_now(world: World) -> dt.datetime:
    now: dt.datetime = world.rows("select clock_timestamp() as now")[0]["now"]
    return now


def seconds_until_due(world: World, alice: Person) -> float:
    due_at: dt.datetime = world.calendar(alice)["due_at"]
    return (due_at - stores_now(world)).total_seconds()


def assert_recovers(world: World, alice: Person) -> None:
    """Still connected, nothing wiped; and equal after the trouble."""
    assert "Kept" in world.live_titles(alice)
    assert world.calendar(alice)["paused_reason"] is None
    assert world.rows("select status from google_credentials")[0]["status"] == "connected"
    world.google.clear_faults()
    world.let_quota_recover()
    world.make_due(alice)
    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]
    world.assert_equal(alice)
    assert world.calendar(alice)["consecutive_failures"] == 0


# One of each sort; which answer is which failure is a table in tests/clients/google/test_errors.py.
PASSING = ["backend_503", "reset_after", "truncated_body", "malformed_json"]


@pytest.mark.parametrize("kind", PASSING)
def test_a_fault_that_passes_is_overcome_within_the_sync(world: World, alice: Person, kind: str) -> None:
    world.google.add_fault(kind, method="events.list", times=1)

    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]

    assert world.google_calls("events.list") == 2
    world.assert_equal(alice)


THROTTLED = {
    "user_rate_limit": "userRateLimitExceeded",
    "rate_limit": "rateLimitExceeded",
    "quota_exceeded": "quotaExceeded",
    "too_many_requests": "rateLimitExceeded",
    "backend_503": "backendError",
}


@pytest.mark.parametrize("kind", THROTTLED)
def test_a_long_retry_after_is_honoured_without_another_call(world: World, alice: Person, kind: str) -> None:
    world.google.add_fault(kind, method="events.list", retry_after=90)

    assert world.sweep().outcomes[0].error_code == THROTTLED[kind]

    assert world.google_calls("events.list") == 1
    assert 85 < seconds_until_due(world, alice) < 120
    # Neither a sweep nor a notification shortens it.
    assert world.sweep().outcomes == ()
    world.google.configure(push="deliver")
    world.google.insert_event(alice.email, world.event("Pushed", hours=4))
    assert world.google.wait_push_idle()
    assert 80 < seconds_until_due(world, alice) < 120
    assert_recovers(world, alice)


def test_faults_that_last_back_off_longer_each_time(world: World, alice: Person) -> None:
    world.google.add_fault("backend_503", method="events.list", retry_after=10)
    waits, took = [], []
    for _ in range(4):
        began = stores_now(world)
        world.sweep()
        waits.append(seconds_until_due(world, alice))
        took.append((stores_now(world) - began).total_seconds())
        world.make_due(alice)

    # At first Retry-After is the longer of the two. It counts from the answer, which came after the sweep began.
    assert waits[0] + took[0] >= 10
    assert waits[0] < 13
    assert waits[1] < waits[2] < waits[3]
    assert waits[3] > 35
    assert world.calendar(alice)["consecutive_failures"] == 4
    assert [log["error_code"] for log in world.logs(alice)[1:]] == ["backendError"] * 4
    assert_recovers(world, alice)


def test_the_real_quota_slows_a_user_down_and_nothing_else(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop", user_quota_per_minute=4, retry_after_seconds=30)
    for number in range(4):
        world.google.insert_event(alice.email, world.event(f"More {number}", hours=number + 3))
        world.make_due(alice)
        world.sweep()
    assert world.calendar(alice)["last_error_code"] == "userRateLimitExceeded"
    world.make_due(bob)
    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]

    world.google.advance(61)
    assert_recovers(world, alice)


@pytest.mark.parametrize("kind", ["reset_before", "truncated_body"])
def test_a_page_that_breaks_off_is_repeated_alone(world: World, alice: Person, kind: str) -> None:
    world.google.bulk_insert(alice.email, [world.event(f"M{n}", hours=n + 3) for n in range(5)])
    world.google.add_fault("small_pages", size=2)
    world.google.add_fault(kind, method="events.list", page=2, times=1)

    world.sweep()

    assert world.google_calls("events.list") == 4
    world.assert_equal(alice)


LOST: list[tuple[str, str]] = [
    ("lost_access_404", "notFound"),
    ("lost_access_403", "forbidden"),
    ("lost_access_401", "unauthorized"),
    ("access_not_configured", "accessNotConfigured"),
]


@pytest.mark.parametrize(("kind", "code"), LOST)
def test_lost_access_wipes_nothing_and_is_tried_again_by_backoff(
    world: World, alice: Person, kind: str, code: str
) -> None:
    world.google.add_fault(kind, method="events")
    waits = []
    for _ in range(2):
        assert [outcome.error_code for outcome in world.sweep().outcomes] == [code]
        waits.append(seconds_until_due(world, alice))
        world.make_due(alice)

    assert world.live_titles(alice) == ["Kept"]
    assert waits[0] > 4 * 60
    assert waits[1] > 1.3 * waits[0]
    assert_recovers(world, alice)


def test_missing_project_set_up_is_no_reason_to_list_everything(world: World, alice: Person) -> None:
    world.google.add_fault("access_not_configured", method="events")

    world.sweep()

    assert world.google_calls("events.list") == 1


def test_one_401_refreshes_the_token_once(world: World, alice: Person) -> None:
    world.google.add_fault("lost_access_401", method="events.list", times=1)

    assert world.sweep().outcomes[0].status == "completed"

    assert (world.google_calls("events.list"), world.google_calls("token")) == (2, 1)
    world.assert_equal(alice)


def test_a_refused_token_that_lasts_is_the_calendars_failure_and_no_reconnect(world: World, alice: Person) -> None:
    world.google.add_fault("lost_access_401", method="events.list")

    world.sweep()

    assert (world.google_calls("events.list"), world.google_calls("token")) == (2, 1)
    assert_recovers(world, alice)


TOKEN_TROUBLE = ["backend_500", "too_many_requests", "reset_before", "reset_after", "truncated_body", "malformed_json"]


@pytest.mark.parametrize("kind", TOKEN_TROUBLE)
def test_trouble_at_the_token_endpoint_is_overcome_within_the_sync(world: World, alice: Person, kind: str) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    world.google.add_fault(kind, method="token", times=1)

    assert [outcome.status for outcome in world.sweep(world.services_with()).outcomes] == ["completed"]

    assert world.google_calls("token") == 2
    world.assert_equal(alice)


@pytest.mark.parametrize(
    ("kind", "code", "calls"),
    [
        ("backend_503", "token_endpoint_failed", 3),
        ("invalid_client", "invalid_client", 1),
        ("deleted_client", "deleted_client", 1),
    ],
)
def test_lasting_trouble_at_the_token_endpoint_never_loses_the_connection(
    world: World, alice: Person, kind: str, code: str, calls: int
) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    world.google.add_fault(kind, method="token")

    assert [outcome.error_code for outcome in world.sweep(world.services_with()).outcomes] == [code]

    assert (world.google_calls("token"), world.google_calls("events.list")) == (calls, 0)
    assert_recovers(world, alice)


def test_one_failing_calendar_stops_no_other(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop")
    world.google.insert_event(bob.email, world.event("Bob's"))
    world.google.add_fault("lost_access_403", calendar=alice.email)
    world.make_due()

    assert sorted(outcome.status for outcome in world.sweep().outcomes) == ["completed", "failed"]

    world.assert_equal(bob)
    assert_recovers(world, alice)


def test_an_event_that_trips_our_own_code_is_recorded_as_our_bug(world: World, alice: Person) -> None:
    world.db.execute('update calendar_events set details = \'{"no": "id"}\'')
    kept = world.rows("select google_event_id from calendar_events where kind = 'single' limit 1")[0]
    world.google.patch_event(alice.email, kept["google_event_id"], {"summary": "Renamed"})

    assert [outcome.error_code for outcome in world.sweep().outcomes] == ["internal_error"]

    log = world.logs(alice)[-1]
    assert (log["status"], log["error_code"]) == ("failed", "internal_error")
    assert world.calendar(alice)["lease_expires_at"] is None
