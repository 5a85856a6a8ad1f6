"""The purse: one lease serves many requests, and nothing is spent that was not leased."""

from __future__ import annotations

from sync.core.polling.purse import Lane, Lease, Order, Purse, alone

ALICE, BOB = "alice", "bob"


def fill(purse: Purse, lane: Lane, user: str, now: float, life: float = 60.0, allowance: int = 60) -> Order:
    """What the purse orders for a request that was not there, given as asked."""
    order = purse.order(lane, user, now)
    purse.receive(Lease(order.lanes, order.users, life, "one", user_allowance=allowance), now)
    return order


def test_a_thousand_requests_need_few_orders() -> None:
    purse, orders, now = Purse(), 0, 0.0
    for number in range(1000):
        now += 0.02
        if not purse.spend(Lane.POLL, f"user{number}", now):
            orders += 1
            fill(purse, Lane.POLL, f"user{number}", now)
            assert purse.spend(Lane.POLL, f"user{number}", now)
    assert orders <= 16


def test_a_trickle_needs_an_order_a_minute_and_one_serves_all_lanes() -> None:
    purse, orders, now = Purse(), 0, 0.0
    for number in range(200):
        now += 3.0
        for lane in (Lane.POLL, Lane.NOTIFIED):
            if not purse.spend(lane, f"user{number}", now):
                orders += 1
                fill(purse, lane, f"user{number}", now)
                assert purse.spend(lane, f"user{number}", now)
    assert orders <= 20


def test_what_is_left_of_a_lease_is_given_back() -> None:
    purse = Purse()
    purse.receive(Lease({Lane.POLL: 10}, {}, 5.0, "slot", user_allowance=60), 0.0)
    assert purse.spend(Lane.POLL, ALICE, 1.0)
    assert not purse.spend(Lane.POLL, ALICE, 6.0)
    (left,) = purse.order(Lane.POLL, ALICE, 6.0).unspent
    assert (left.lane, left.ends_at, left.count) == (Lane.POLL, "slot", 9)
    assert purse.order(Lane.POLL, ALICE, 6.0).unspent == []


def test_one_order_is_for_all_that_is_expected() -> None:
    purse = Purse()
    purse.receive(Lease({}, {}, 5.0, "slot", user_allowance=0), 0.0)
    purse.expect([(Lane.POLL, ALICE), (Lane.POLL, ALICE), (Lane.NOTIFIED, BOB)])
    order = fill(purse, Lane.POLL, ALICE, 0.0, allowance=0)
    assert order.lanes == {Lane.POLL: 2, Lane.NOTIFIED: 1}
    assert order.users == {ALICE: 2, BOB: 1}
    assert all(purse.spend(lane, user, 1.0) for lane, user in [(Lane.POLL, ALICE), (Lane.NOTIFIED, BOB)])
    assert purse.spend(Lane.POLL, ALICE, 1.0)
    assert not purse.spend(Lane.POLL, ALICE, 1.0)


def test_a_user_spends_their_allowance_without_asking_and_no_more() -> None:
    purse = Purse()
    purse.receive(Lease({Lane.FIRST: 100}, {}, 60.0, user_allowance=3), 0.0)
    assert [purse.spend(Lane.FIRST, ALICE, 1.0) for _ in range(4)] == [True, True, True, False]
    assert purse.spend(Lane.FIRST, BOB, 1.0)
    assert purse.order(Lane.FIRST, ALICE, 1.0).users == {ALICE: 1}
    assert purse.spend(Lane.FIRST, ALICE, 62.0 - 10) is False
    purse.receive(Lease({Lane.FIRST: 9}, {}, 60.0, user_allowance=3), 62.0)
    assert purse.spend(Lane.FIRST, ALICE, 62.0)


def test_nobody_is_asked_for_what_is_to_be_waited_for() -> None:
    purse = Purse()
    purse.receive(Lease({Lane.POLL: 0}, {}, 5.0, waits={Lane.POLL: 7.0}, user_allowance=9), 0.0)
    assert not purse.spend(Lane.POLL, ALICE, 1.0)
    assert purse.wait(Lane.POLL, ALICE, 1.0) == 6.0
    assert purse.wait(Lane.NOTIFIED, ALICE, 1.0) == 0.0
    # Another lane's lease does not end it.
    purse.receive(Lease({Lane.NOTIFIED: 5}, {}, 5.0, user_allowance=9), 2.0)
    assert purse.wait(Lane.POLL, ALICE, 2.0) == 5.0
    assert purse.spend(Lane.NOTIFIED, ALICE, 2.0)


def test_a_refusal_stops_the_user_or_all_at_once() -> None:
    purse = Purse()
    lanes = {Lane.POLL: 5, Lane.NOTIFIED: 5}
    purse.receive(Lease(lanes, {ALICE: 3}, 60.0, "slot", user_allowance=9), 0.0)
    purse.refused(ALICE, 10.0, 1.0)
    assert (purse.wait(Lane.POLL, ALICE, 1.0), purse.wait(Lane.POLL, BOB, 1.0)) == (10.0, 0.0)
    assert purse.is_refused(ALICE, 1.0)
    assert purse.spend(Lane.POLL, BOB, 1.0)

    purse.refused(None, 4.0, 2.0)
    assert purse.wait(Lane.PERSON, BOB, 2.0) == 4.0
    assert {(left.lane, left.count) for left in purse.order(Lane.POLL, BOB, 6.0).unspent} == {
        (Lane.POLL, 4),
        (Lane.NOTIFIED, 5),
    }
    # And nothing more of theirs is spent without asking.
    assert not purse.spend(Lane.POLL, ALICE, 60.0)
    assert ALICE in purse.order(Lane.POLL, ALICE, 60.0).users


def test_alone_a_process_spends_little_and_lets_a_person_through() -> None:
    order = Order({Lane.POLL: 200, Lane.PERSON: 1}, {ALICE: 1})
    first = alone(order, per_minute=10_000, is_first=True)
    assert first.lanes == {Lane.POLL: 41, Lane.PERSON: 1}
    again = alone(order, per_minute=10_000, is_first=False)
    assert again.lanes == {Lane.POLL: 0, Lane.PERSON: 1}
    assert again.waits == {Lane.POLL: 5.0}


def test_what_was_scarce_in_one_minute_is_so_at_the_beginning_of_the_next() -> None:
    purse = Purse()
    assert not purse.is_scarce(0.0)
    fill(purse, Lane.POLL, ALICE, 0.0, life=5.0, allowance=0)
    fill(purse, Lane.POLL, ALICE, 61.0, life=5.0)
    assert purse.is_scarce(61.0)
    fill(purse, Lane.POLL, ALICE, 121.0)
    assert not purse.is_scarce(121.0)
