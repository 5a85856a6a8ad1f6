"""What is believed of a calendar and its channel, and how a sync changes it. Pure. Called at every sync's end.

Three beliefs, each a few floats that stand in the calendar's row:

- how often it changes: a Gamma posterior, by changes counted and change time watched (`rhythm`);
- how many of its changes push announces while its channel lives (recall): a Beta posterior, of two kinds of calendars:
  with most, push is as good as with all; with some it is poor, and how poor is anybody's guess;
- whether its channel is dead (`doubt`). A channel dies without a word, and from then on every push is missed; so misses
  come in runs, which recall alone cannot say. A push proves life. A look that finds nothing proves nothing.

What is not known of a calendar yet is taken from the pool of all. Old evidence fades, so that whatever heals is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sync.core.polling.evidence import Evidence
from sync.core.polling.reopening import should_reopen

# Evidence of the rate fades over a month: a term or a project, rather than a week of holidays.
RATE_MEMORY_DAYS = 30.0
# Recall is judged by about so many last changes.
RECALL_MEMORY = 80.0
# What all calendars' recall weighs, in changes, for one whose push is not poor.
RECALL_CHANGES = 40.0
# A delay weighs for this share in the mean of delays.
DELAY_SHARE = 0.1
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Pool:
    """What is believed of a calendar of which nothing is known: the mean of all, and how much it weighs.

    `rate`: changes a day. `rate_changes`: changes that it weighs. `poor`: share of calendars whose push is poor, of
    whose recall nothing is known; the others' is `recall`. `hazard`: deaths per channel and day, of the region that
    receives its pushes.
    """

    rate: float = 2.0
    rate_changes: float = 0.5
    recall: float = 0.97
    poor: float = 0.1
    hazard: float = 1 / 60


@dataclass(frozen=True, slots=True)
class Belief:
    """Columns of a calendar, all 0 of a new one: it is then what the pool is.

    `doubt`: P(its channel was dead at the last look). `unproven_days`: before that look, since the channel last proved
    that it lives, by a push or its handshake. `delay_seconds`: a push's, in the mean.
    """

    changes: float = 0.0
    change_days: float = 0.0
    announced: float = 0.0
    missed: float = 0.0
    doubt: float = 0.0
    unproven_days: float = 0.0
    delay_seconds: float = 0.0

    def rate(self, pool: Pool) -> float:
        """Changes a day."""
        weight = pool.rate_changes
        return (weight + self.changes) / (weight / pool.rate + self.change_days)

    def recall(self, pool: Pool) -> float:
        """Share of changes that a living channel announces."""
        return 1.0 - self.chance_of_misses(pool, 1)

    def chance_of_misses(self, pool: Pool, count: int) -> float:
        """P(the next so many changes are all missed | the channel lives). Little may be known of the recall: misses are
        as likely as its distribution says, not as a power of its mean."""
        good = self._missing(pool.recall * RECALL_CHANGES, (1.0 - pool.recall) * RECALL_CHANGES, count)
        poor = self._missing(1.0, 1.0, count)
        share = poor[0] * pool.poor / (poor[0] * pool.poor + good[0] * (1.0 - pool.poor))
        return share * poor[1] + (1.0 - share) * good[1]

    def _missing(self, announced: float, missed: float, count: int) -> tuple[float, float]:
        """Of a Beta prior: the likelihood of what was counted, and the chance of so many misses after it."""
        after, lost = announced + self.announced, missed + self.missed
        likelihood = math.exp(_log_beta(after, lost) - _log_beta(announced, missed))
        chance = 1.0
        for n in range(count):
            chance *= (lost + n) / (after + lost + n)
        return likelihood, chance


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@dataclass(frozen=True, slots=True)
class Channel:
    """A live channel at a sync. `reopened_in_vain`: channels opened for a miss since the last push."""

    age_seconds: float
    reopened_in_vain: int = 0


@dataclass(frozen=True, slots=True)
class Learnt:
    """A belief after a sync. `dead_chance`: that the channel was dead at it; of the misses the same share is put down
    to that, the rest to the calendar's recall. `reopens`: another channel is to be opened. `deaths`, `channel_days`:
    what to add to the region's sums, of which its hazard is made."""

    belief: Belief
    dead_chance: float = 0.0
    reopens: bool = False
    deaths: float = 0.0
    channel_days: float = 0.0


def learn(
    belief: Belief, pool: Pool, seen: Evidence, channel: Channel | None, *, days: float, change_days: float
) -> Learnt:
    """`days` and `change_days` since the last look, in clock time and in change time. Without a live channel only the
    rate is learnt."""
    fading = math.exp(-days / RATE_MEMORY_DAYS)
    after = replace(
        belief,
        changes=belief.changes * fading + seen.changes,
        change_days=belief.change_days * fading + change_days,
    )
    if channel is None:
        return Learnt(after)
    dead = dead_chance(belief, pool, seen, days)
    reopens = seen.missed > 0 and should_reopen(dead, channel.reopened_in_vain, channel.age_seconds)
    after = _of_push(after, seen, dead, 0.0 if seen.was_notified else belief.unproven_days + days)
    if seen.was_notified:
        return Learnt(after, 0.0, channel_days=belief.unproven_days + days)
    if reopens:
        lived = max(0.0, belief.unproven_days + days - seen.first_missed_seconds / _DAY)
        return Learnt(after, dead, reopens=True, deaths=dead, channel_days=lived)
    return Learnt(after, dead)


def _of_push(belief: Belief, seen: Evidence, dead: float, unproven_days: float) -> Belief:
    missed = seen.missed * (1.0 - dead)
    counted = belief.announced + belief.missed + seen.announced + missed
    recent = min(1.0, RECALL_MEMORY / counted) if counted else 1.0
    delay = belief.delay_seconds
    if seen.delay_seconds is not None:
        delay += DELAY_SHARE * (seen.delay_seconds - delay)
    return replace(
        belief,
        announced=(belief.announced + seen.announced) * recent,
        missed=(belief.missed + missed) * recent,
        doubt=dead,
        unproven_days=unproven_days,
        delay_seconds=delay,
    )


def dead_chance(belief: Belief, pool: Pool, seen: Evidence, days: float) -> float:
    """P(the channel is dead | what this sync saw).

    Misses in a row are likely of a dead channel, and of a living one only as its recall says.
    """
    if seen.was_notified:
        return 0.0
    if not seen.missed:
        return died_by(belief.doubt, pool.hazard, days)
    before = died_by(belief.doubt, pool.hazard, max(0.0, days - seen.first_missed_seconds / _DAY))
    by_chance = belief.chance_of_misses(pool, min(seen.missed, 50))
    return before / (before + (1.0 - before) * by_chance) if before else 0.0


def died_by(doubt: float, hazard: float, days: float) -> float:
    """P(dead so many days later), nothing having been learnt meanwhile."""
    return 1.0 - (1.0 - doubt) * math.exp(-hazard * days)


def silence_doubt(doubt: float, hazard: float, pushes: float, days: float) -> float:
    """P(dead | no push since the last look, `days` ago, in which a living channel had brought so many `pushes`)."""
    dying = hazard * days
    leaving = dying + pushes
    lives = math.exp(-leaving)
    died = dying / leaving * (1.0 - lives) if leaving else 0.0
    dead = doubt + (1.0 - doubt) * died
    return dead / (dead + (1.0 - doubt) * lives)


def revived(belief: Belief) -> Belief:
    """Of a calendar whose channel is new: it has just shaken hands."""
    return replace(belief, doubt=0.0, unproven_days=0.0)
