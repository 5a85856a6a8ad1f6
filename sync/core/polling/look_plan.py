"""When a calendar is looked at next, and why. Pure. Called at every sync's end.

The moment at which a poll is worth its price (`poll_value`), under the calendar's own rate and the week's rhythm; not
while a recent notification vouches for the calendar, unless its silence is itself a sign; sooner before a meeting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync.core.polling.belief import Belief, Pool, silence_doubt
from sync.core.polling.poll_policy import SKIP_SPREAD, SPREAD_FROM, SPREAD_TO
from sync.core.polling.poll_value import LONGEST_DAYS, SHORTEST_DAYS, PollTable, stale_chance
from sync.core.polling.rhythm import HOURS, Rhythm

PLANNED, PROBE, IMMINENT, LAPSES = "poll_interval", "probe", "imminent", "channel_lapses"
# A notification vouches for POLL_STALE_HOURS, but not longer than push is believed: until the channel is dead with this
# chance, for the calendar is oddly silent (at ten changes a day, and channels that die every second month, in 4 hours),
# or until something was missed with that one, for its pushes are known to get lost.
ALIVE_BELOW_DOUBT, TOLD_ALL_BELOW = 0.01, 0.03
# The look is made within this share of the interval, so that the mean is the plan's and the end is its bound.
_MEAN_SPREAD = (SPREAD_FROM + SPREAD_TO) / 2
# A meeting that is about to begin: somebody acts on what is stored of it. Wrong, it costs so many times as much.
IMMINENT_WEIGHT = 20.0
IMMINENT_LEAD_SECONDS = 1200.0
# After an outage everybody is looked at within this.
LONGEST_CATCH_UP_SECONDS, _SHORTEST_CATCH_UP_SECONDS = 3600.0, 5.0
_STEP_HOURS = 1.0
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class NextLook:
    """`seconds` until it; `bound_seconds`: not later than this, which the calendar's row shows and keeps."""

    seconds: float
    bound_seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the next look hangs on, beside the belief. `hour`: of the week, in the calendar's zone. `vouched_seconds`:
    for how long the last notification vouches by the documented rule; 0 without one, or without a live channel.
    `meeting_seconds`: until the next meeting begins. `lapses_seconds`: until the channel lapses, which is renewed long
    before unless renewals fail."""

    hour: float
    has_channel: bool = True
    vouched_seconds: float = 0.0
    meeting_seconds: float | None = None
    lapses_seconds: float | None = None


def plan_look(
    belief: Belief, pool: Pool, rhythm: Rhythm, table: PollTable, outlook: Outlook, jitter: float
) -> NextLook:
    """From a sync that has just ended. `jitter` in [0, 1)."""
    planned = _plan(belief, pool, rhythm, table, outlook, jitter)
    lapses = outlook.lapses_seconds
    if not outlook.has_channel or lapses is None or lapses >= planned.bound_seconds:
        return planned
    # From the lapse on nothing would be announced.
    then = replace(outlook, has_channel=False, vouched_seconds=0.0, meeting_seconds=None)
    without = _plan(belief, pool, rhythm, table, replace(then, hour=(outlook.hour + lapses / 3600.0) % HOURS), jitter)
    return NextLook(
        min(planned.seconds, max(lapses, 0.0) + without.seconds),
        min(planned.bound_seconds, max(lapses, 0.0) + without.bound_seconds),
        planned.reason if planned.seconds <= max(lapses, 0.0) + without.seconds else LAPSES,
    )


def _plan(belief: Belief, pool: Pool, rhythm: Rhythm, table: PollTable, outlook: Outlook, jitter: float) -> NextLook:
    rate = belief.rate(pool)
    recall = belief.recall(pool) if outlook.has_channel else 0.0
    doubt = belief.doubt if outlook.has_channel else 1.0
    days = _worth_polling_days(table, rate, recall, doubt, rhythm, outlook.hour)
    bound = min(days / _MEAN_SPREAD, LONGEST_DAYS) * _DAY
    planned = bound * (SPREAD_FROM + (SPREAD_TO - SPREAD_FROM) * jitter)
    reason = PLANNED
    if outlook.vouched_seconds > planned:
        odd = _believed_days(rate, recall, doubt, table.hazard, rhythm, outlook)
        spread = odd * SKIP_SPREAD * _DAY
        planned = max(planned, odd * _DAY + spread * jitter)
        bound = max(bound, odd * _DAY + spread)
        reason = PROBE if odd * _DAY < outlook.vouched_seconds else PLANNED
    sooner = _before_meeting(outlook, planned, rate, recall, doubt, table, rhythm)
    if sooner is not None:
        return NextLook(sooner, bound, IMMINENT)
    return NextLook(max(planned, SHORTEST_DAYS * _DAY), bound, reason)


def _worth_polling_days(
    table: PollTable, rate: float, recall: float, doubt: float, rhythm: Rhythm, hour: float
) -> float:
    """The first time at which a poll is worth its price at the mean rate until then: nights put it off."""
    due_at = table.by_rate(recall, doubt)
    # Not before it would be at the busiest hour's rate.
    days = due_at(rate * rhythm.peak)
    while days < LONGEST_DAYS:
        before, days = days, min(days + _STEP_HOURS / 24.0, LONGEST_DAYS)
        due = due_at(rate * rhythm.days(hour, days * 24.0) / days)
        if due <= days:
            return max(due, before)
    return LONGEST_DAYS


def _believed_days(rate: float, recall: float, doubt: float, hazard: float, rhythm: Rhythm, outlook: Outlook) -> float:
    """How long a notification's silence is to be believed, by the documented rule at most."""
    low, high = 0.0, outlook.vouched_seconds / _DAY
    for _ in range(12):
        middle = (low + high) / 2
        changes = rate * rhythm.days(outlook.hour, middle * 24.0)
        is_alive = silence_doubt(doubt, hazard, changes * recall, middle) < ALIVE_BELOW_DOUBT
        if is_alive and stale_chance(changes / middle, recall, doubt, hazard, middle) < TOLD_ALL_BELOW:
            low = middle
        else:
            high = middle
    return high


def _before_meeting(
    outlook: Outlook, planned: float, rate: float, recall: float, doubt: float, table: PollTable, rhythm: Rhythm
) -> float | None:
    """Seconds to a look shortly before the next meeting, if what it may mend is worth its price."""
    if outlook.meeting_seconds is None:
        return None
    at = outlook.meeting_seconds - IMMINENT_LEAD_SECONDS
    if not SHORTEST_DAYS * _DAY < at < planned:
        return None
    busy = rhythm.days(outlook.hour, at / 3600.0) / (at / _DAY)
    stale = stale_chance(max(rate * busy, 1e-9), recall, doubt, table.hazard, at / _DAY)
    return at if stale * IMMINENT_WEIGHT * IMMINENT_LEAD_SECONDS / _DAY >= table.price_days else None


def catch_up_seconds(backlog: int, polls_per_minute: float) -> float:
    """Over how long polls that fell due during an outage are spread, so that they are made evenly and not at once; 0:
    they are so few that they are nothing to spread. Notified calendars do not wait."""
    seconds = min(backlog / max(polls_per_minute, 1.0) * 60.0, LONGEST_CATCH_UP_SECONDS)
    return seconds if seconds >= _SHORTEST_CATCH_UP_SECONDS else 0.0
