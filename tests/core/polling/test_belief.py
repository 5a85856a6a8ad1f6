"""What syncs teach: rate, recall, and whether the channel is dead."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.core.polling.belief import (
    Belief,
    Channel,
    Learnt,
    Pool,
    dead_chance,
    died_by,
    learn,
    revived,
    silence_doubt,
)
from sync.core.polling.evidence import Evidence

POOL = Pool(rate=2.0, rate_changes=0.5, recall=0.97, poor=0.1, hazard=1 / 30)
CHANNEL = Channel(age_seconds=3 * 86400.0)
PUSH = Evidence(1, 1, was_notified=True, delay_seconds=3.0)
HOUR = 3600.0


def missed(count: int = 1, hours_ago: float = 1.0) -> Evidence:
    return Evidence(count, 0, count, hours_ago * HOUR)


def after(looks: list[tuple[Evidence, float]], belief: Belief | None = None) -> Learnt:
    learnt = Learnt(belief or Belief())
    for seen, days in looks:
        learnt = learn(learnt.belief, POOL, seen, CHANNEL, days=days, change_days=days)
    return learnt


PROVEN = after([(PUSH, 0.2)] * 60).belief


def test_a_new_calendar_is_what_the_pool_is() -> None:
    assert Belief().rate(POOL) == 2.0
    assert Belief().recall(POOL) == pytest.approx(0.9 * 0.97 + 0.1 * 0.5)


def test_a_few_announced_changes_tell_a_good_push_from_a_poor_one() -> None:
    kinds = [after([(seen, 0.2)] * 4).belief.recall(POOL) for seen in (PUSH, missed())]
    assert kinds[0] > 0.95
    assert kinds[1] < 0.9


def test_its_own_rate_and_recall_are_learnt() -> None:
    assert PROVEN.rate(POOL) == pytest.approx(5.0, rel=0.05)
    assert PROVEN.recall(POOL) > 0.985
    assert PROVEN.delay_seconds == pytest.approx(3.0, rel=0.01)


def test_a_look_that_finds_nothing_proves_nothing() -> None:
    learnt = after([(Evidence(), 0.5)] * 10, PROVEN)
    assert learnt.belief.doubt == pytest.approx(died_by(0.0, POOL.hazard, 5.0))
    assert learnt.belief.recall(POOL) == PROVEN.recall(POOL)
    assert (learnt.belief.unproven_days, learnt.channel_days) == (5.0, 0.0)


def test_a_push_proves_life_and_counts_the_time_until_it() -> None:
    silent = after([(Evidence(), 0.5)] * 4, PROVEN).belief
    learnt = after([(PUSH, 0.5)], silent)
    assert (learnt.belief.doubt, learnt.belief.unproven_days) == (0.0, 0.0)
    assert (learnt.channel_days, learnt.deaths) == (2.5, 0.0)


def test_the_first_miss_of_a_calendar_whose_push_is_proven_means_a_dead_channel() -> None:
    learnt = after([(missed(), 0.3)], PROVEN)
    assert learnt.dead_chance > 0.3
    assert learnt.reopens
    assert learnt.deaths == learnt.dead_chance
    assert learnt.channel_days == pytest.approx(0.3 - 1 / 24)


def test_a_miss_is_put_down_to_death_or_to_recall_once() -> None:
    learnt = after([(missed(), 0.3)], Belief())
    assert learnt.belief.missed == pytest.approx(1.0 - learnt.dead_chance)


def test_where_pushes_are_lost_one_by_one_a_miss_is_no_death() -> None:
    half = after([(PUSH, 0.2), (missed(), 0.2)] * 20).belief
    assert half.recall(POOL) < 0.65
    learnt = after([(missed(), 0.2)], half)
    assert learnt.dead_chance < 0.05
    assert not learnt.reopens


def test_misses_in_a_row_become_a_death_whatever_the_recall() -> None:
    half = after([(PUSH, 0.2), (missed(), 0.2)] * 20).belief
    chances = [dead_chance(half, POOL, missed(n, 6.0), 0.5) for n in range(1, 20)]
    assert chances == sorted(chances)
    assert chances[-1] > 0.9


def test_a_calendar_that_never_was_announced_is_not_reopened_for_ever() -> None:
    belief, reopened, age = Belief(), 0, 0.0
    for _ in range(120):
        age += 0.5 * 86400.0
        learnt = learn(belief, POOL, missed(2, 9.0), Channel(age, reopened), days=0.5, change_days=0.5)
        belief = learnt.belief
        if learnt.reopens:
            belief, reopened, age = revived(belief), reopened + 1, 0.0
    assert belief.recall(POOL) < 0.2
    assert reopened < 15


def test_without_a_channel_only_the_rate_is_learnt() -> None:
    learnt = learn(PROVEN, POOL, missed(), None, days=1.0, change_days=1.0)
    assert (learnt.belief.recall(POOL), learnt.belief.doubt, learnt.reopens) == (PROVEN.recall(POOL), 0.0, False)
    assert learnt.belief.changes > PROVEN.changes * 0.9


def test_recall_that_heals_is_seen() -> None:
    poor = after([(PUSH, 0.1), (missed(), 0.1)] * 100).belief
    assert after([(PUSH, 0.1)] * 200, poor).belief.recall(POOL) > 0.9


@pytest.mark.parametrize(
    ("hours", "doubt"), [(1.0, 0.0017), (2.7, 0.0069), (6.0, 0.0361), (12.0, 0.325), (24.0, 0.985)]
)
def test_silence_of_a_busy_calendar_becomes_doubt(hours: float, doubt: float) -> None:
    days = hours / 24
    assert silence_doubt(0.0, 1 / 30, 10 * days, days) == pytest.approx(doubt, rel=0.05)


@settings(max_examples=60)
@given(
    doubt=st.floats(0, 1),
    announced=st.floats(0, 100),
    lost=st.floats(0, 100),
    count=st.integers(0, 30),
    push=st.booleans(),
    days=st.floats(0.001, 30),
)
def test_whatever_is_seen_chances_stay_chances(
    doubt: float, announced: float, lost: float, count: int, push: bool, days: float
) -> None:
    belief = Belief(3.0, 3.0, announced, lost, doubt, 1.0, 5.0)
    seen = Evidence(count, 0, count, 60.0 * count, was_notified=push)
    learnt = learn(belief, POOL, seen, CHANNEL, days=days, change_days=days)
    assert 0.0 <= learnt.belief.doubt <= 1.0
    assert 0.0 <= learnt.belief.recall(POOL) <= 1.0
    assert learnt.belief.rate(POOL) > 0.0
    assert learnt.channel_days >= 0.0
    assert learnt.belief.missed >= 0.0
