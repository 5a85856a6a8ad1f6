"""When the next look is, and why, by tables."""

from __future__ import annotations

import pytest

from sync.core.polling.belief import Belief, Pool
from sync.core.polling.look_plan import (
    IMMINENT,
    IMMINENT_LEAD_SECONDS,
    LAPSES,
    PLANNED,
    PROBE,
    NextLook,
    Outlook,
    catch_up_seconds,
    plan_look,
)
from sync.core.polling.poll_value import PollTable
from sync.core.polling.rhythm import EVEN, rhythm_from_counts

HOUR, DAY = 3600.0, 86400.0
POOL = Pool(hazard=1 / 30)
TABLE = PollTable(POOL.hazard, 0.005)
STALE = 6 * HOUR
OFFICE = rhythm_from_counts(
    [1000.0 if 8 <= hour < 18 else 10.0 for hour in range(24)] + [10.0] * 24, [500.0] * 24 + [200.0] * 24
)


def proven(rate: float, doubt: float = 0.0) -> Belief:
    return Belief(rate * 200, 200.0, 60.0, 0.5, doubt)


def look(
    belief: Belief, *, jitter: float = 0.5, rhythm: object = EVEN, table: PollTable = TABLE, **facts: object
) -> NextLook:
    outlook = Outlook(**{"hour": 36.0, **facts})  # type: ignore[arg-type]
    return plan_look(belief, POOL, rhythm, table, outlook, jitter)  # type: ignore[arg-type]


def test_a_busy_calendar_without_a_channel_is_polled_most() -> None:
    waits = [look(proven(rate), has_channel=False).seconds for rate in (0.01, 0.2, 2.0, 20.0)]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] == pytest.approx(0.85 * DAY)
    assert waits[-1] < 45 * 60


def test_doubt_brings_the_look_forward() -> None:
    sure, doubtful, dead = (look(proven(2.0, doubt)).seconds for doubt in (0.0, 0.1, 0.9))
    assert sure > doubtful > dead


def test_a_recent_notification_vouches_where_silence_is_nothing_odd() -> None:
    planned = look(proven(0.5), table=PollTable(POOL.hazard, 0.0002), vouched_seconds=STALE)
    assert STALE <= planned.seconds <= STALE * 1.014
    assert planned.reason == PLANNED


def test_an_odd_silence_ends_the_vouching_with_a_probe() -> None:
    probe = look(proven(10.0), table=PollTable(POOL.hazard, 0.0002), vouched_seconds=STALE)
    assert 2 * HOUR < probe.seconds < 3.5 * HOUR
    assert probe.reason == PROBE


def test_a_silent_night_is_not_odd() -> None:
    evening = look(proven(10.0), rhythm=OFFICE, table=PollTable(POOL.hazard, 0.0002), hour=43.0, vouched_seconds=STALE)
    assert evening.seconds >= STALE
    assert evening.reason == PLANNED


def test_a_night_puts_a_look_off() -> None:
    noon, evening = (look(proven(5.0), rhythm=OFFICE, hour=hour).seconds for hour in (33.0, 43.0))
    assert evening > 1.5 * noon


@pytest.mark.parametrize("vouched", [0.0, 3 * HOUR, STALE])
@pytest.mark.parametrize("rate", [0.01, 0.5, 5.0, 50.0])
@pytest.mark.parametrize("doubt", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("price", [0.0002, 0.005, 0.2])
def test_the_look_keeps_its_bound_and_is_spread(vouched: float, rate: float, doubt: float, price: float) -> None:
    table = PollTable(POOL.hazard, price)
    looks = [
        look(proven(rate, doubt), jitter=jitter, table=table, vouched_seconds=vouched) for jitter in (0.0, 0.5, 0.999)
    ]
    waits = [each.seconds for each in looks]
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert all(60.0 <= each.seconds <= each.bound_seconds <= DAY for each in looks)


@pytest.mark.parametrize(
    ("starts_in", "rate", "seconds"),
    [
        (2 * HOUR, 5.0, 2 * HOUR - IMMINENT_LEAD_SECONDS),
        (2 * HOUR, 0.01, None),
        (20 * HOUR, 5.0, None),
        (10 * 60.0, 5.0, None),
        (None, 5.0, None),
    ],
    ids=["worth it", "never changes", "looked at before", "begins at once", "no meeting"],
)
def test_a_meeting_that_is_about_to_begin_is_looked_at_before(
    starts_in: float | None, rate: float, seconds: float | None
) -> None:
    planned = look(proven(rate, 0.1), table=TABLE, meeting_seconds=starts_in)
    if seconds is None:
        assert planned == look(proven(rate, 0.1))
    else:
        assert (planned.seconds, planned.reason) == (seconds, IMMINENT)


def test_a_backlog_is_spread_over_the_time_that_its_number_needs() -> None:
    assert catch_up_seconds(6000, 600.0) == 600.0
    assert catch_up_seconds(10**7, 1.0) == HOUR
    assert catch_up_seconds(3, 600.0) == 0.0


def test_a_channel_that_nobody_renews_is_not_planned_with_after_it_lapses() -> None:
    """Once a day it changes: with a channel it is looked at tomorrow, without one every few hours."""
    renewed = look(proven(1.0), lapses_seconds=5 * DAY)
    assert renewed == look(proven(1.0))
    without = look(proven(1.0), has_channel=False)

    lapsing = look(proven(1.0), lapses_seconds=HOUR)

    assert lapsing.seconds == pytest.approx(HOUR + without.seconds)
    assert lapsing.bound_seconds == pytest.approx(HOUR + without.bound_seconds)
    assert lapsing.reason == LAPSES
    assert renewed.bound_seconds > lapsing.bound_seconds
    assert look(proven(1.0), lapses_seconds=-HOUR).seconds == without.seconds
