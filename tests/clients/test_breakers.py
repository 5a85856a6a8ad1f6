"""A breaker opens on an outage alone, lets one probe through at a time, and closes when one is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sync.clients.breakers import Breakers
from sync.clients.circuit import Breaker, Tripping
from sync.errors import RetryLater, SlowDown, SyncError, UpstreamDown
from sync.states import CircuitState

RULE = Tripping(failures=3, subjects=2, first_seconds=10, most_seconds=40)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def breaker_on(clock: Clock, *, rule: Tripping = RULE, tells_on_trip: bool = False) -> Breaker:
    return Breakers(clock, chance=lambda: 0.0).of(
        "far",
        rule,
        counts=lambda failure: isinstance(failure, RetryLater) and not isinstance(failure, SlowDown),
        down=lambda seconds: UpstreamDown("far_down", seconds),
        tells_on_trip=tells_on_trip,
        is_nobodys=lambda failure: getattr(failure, "code", "") == "unreachable",
    )


def fail(breaker: Breaker, subject: str | None, failure: SyncError | None = None) -> None:
    def do() -> None:
        raise failure or RetryLater("http_503")

    with pytest.raises(SyncError):
        breaker.call(do, subject=subject)


def trip(breaker: Breaker) -> None:
    for subject in ("alice", "bob", "alice"):
        fail(breaker, subject)
    assert breaker.read().state is CircuitState.OPEN


def refused_for(breaker: Breaker) -> float:
    with pytest.raises(UpstreamDown) as down:
        breaker.call(lambda: None)
    return down.value.seconds


def test_it_opens_when_calls_of_several_fail_in_a_row(clock: Clock) -> None:
    breaker = breaker_on(clock)
    fail(breaker, "alice")
    fail(breaker, "bob")
    assert breaker.is_closed

    fail(breaker, "bob")

    assert refused_for(breaker) == 10
    assert (breaker.read().opened, breaker.read().error_code, breaker.read().refused) == (1, "http_503", 1)


def test_one_users_failures_alone_never_open_it(clock: Clock) -> None:
    breaker = breaker_on(clock)
    for _ in range(20):
        fail(breaker, "alice")
    assert breaker.is_closed
    # They are not forgotten: another one's is enough then.
    fail(breaker, "bob")
    assert not breaker.is_closed


def test_what_no_connection_was_had_for_is_nobodys_alone(clock: Clock) -> None:
    breaker = breaker_on(clock)
    for _ in range(3):
        fail(breaker, "alice", RetryLater("unreachable"))
    assert not breaker.is_closed


def test_an_answer_in_between_begins_the_count_anew(clock: Clock) -> None:
    breaker = breaker_on(clock)
    for subject in ("alice", "bob") * 5:
        fail(breaker, subject)
        breaker.call(lambda: None)
    assert breaker.is_closed


@pytest.mark.parametrize("failure", [SlowDown("rateLimitExceeded"), SyncError("notFound"), SyncError("invalid_grant")])
def test_what_the_upstream_says_is_an_answer(clock: Clock, failure: SyncError) -> None:
    breaker = breaker_on(clock)
    for subject in ("alice", "bob") * 10:
        fail(breaker, subject, failure)
    assert breaker.is_closed
    assert breaker.read().refused == 0


def test_each_failed_probe_doubles_the_time_up_to_its_bound(clock: Clock) -> None:
    breaker = breaker_on(clock)
    trip(breaker)
    waits = []
    for _ in range(5):
        waits.append(refused_for(breaker))
        clock.now += waits[-1]
        fail(breaker, "alice")

    assert waits == [10, 20, 40, 40, 40]
    # One outage, however many probes.
    assert breaker.read().opened == 1


def test_an_answered_probe_closes_it(clock: Clock) -> None:
    breaker = breaker_on(clock)
    trip(breaker)
    clock.now += 10

    assert breaker.call(lambda: "answer") == "answer"

    assert breaker.read().state is CircuitState.CLOSED
    # The next outage begins with the first time again.
    trip(breaker)
    assert refused_for(breaker) == 10


def test_the_failure_that_opens_it_may_tell_so(clock: Clock) -> None:
    breaker = breaker_on(clock, tells_on_trip=True)
    fail(breaker, "alice")
    fail(breaker, "bob")

    def do() -> None:
        raise RetryLater("http_503")

    with pytest.raises(UpstreamDown) as down:
        breaker.call(do, subject="bob")
    assert isinstance(down.value.__cause__, RetryLater)


def held(pool: ThreadPoolExecutor, breaker: Breaker, end: Callable[[], str]) -> tuple[threading.Event, object]:
    """A call under way, until the event is set."""
    begun, let_go = threading.Event(), threading.Event()

    def do() -> str:
        begun.set()
        assert let_go.wait(60)
        return end()

    running = pool.submit(breaker.call, do)
    assert begun.wait(60)
    return let_go, running


def test_calls_run_side_by_side(clock: Clock) -> None:
    breaker = breaker_on(clock)
    with ThreadPoolExecutor(1) as pool:
        let_go, _ = held(pool, breaker, lambda: "late")
        assert breaker.call(lambda: "soon") == "soon"
        let_go.set()


def test_one_probe_at_a_time_under_many_threads(clock: Clock) -> None:
    breaker = breaker_on(clock)
    trip(breaker)
    clock.now += 10
    with ThreadPoolExecutor(9) as pool:
        let_go, _ = held(pool, breaker, lambda: "answer")

        refusals = [pool.submit(refused_for, breaker) for _ in range(8)]
        assert [refusal.result(60) for refusal in refusals] == [1.0] * 8
        assert breaker.read().state is CircuitState.HALF_OPEN
        let_go.set()

    assert breaker.is_closed


def test_what_was_begun_before_it_opened_says_nothing_about_the_time_after(clock: Clock) -> None:
    breaker = breaker_on(clock)
    with ThreadPoolExecutor(1) as pool:
        let_go, _ = held(pool, breaker, lambda: "late")
        trip(breaker)
        let_go.set()
    assert refused_for(breaker) == 10


def test_a_probe_that_is_killed_leaves_room_for_the_next(clock: Clock) -> None:
    breaker = breaker_on(clock)
    trip(breaker)
    clock.now += 10

    def end() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        breaker.call(end)

    clock.now += 20
    breaker.call(lambda: None)
    assert breaker.is_closed


def test_work_is_begun_as_calls_are_let_through(clock: Clock) -> None:
    breakers = Breakers(clock, chance=lambda: 0.0)
    assert breakers.room("far", 7) == 7
    breaker = breakers.of("far", RULE, counts=lambda _failure: True, down=lambda seconds: UpstreamDown("x", seconds))
    trip(breaker)
    assert (breakers.room("far", 7), breakers.wait_seconds("far")) == (0, 10)
    clock.now += 10
    assert (breakers.room("far", 7), breakers.wait_seconds("far")) == (1, 0)
