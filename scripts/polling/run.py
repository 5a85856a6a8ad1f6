"""Runs one policy through one world, on a fast clock, and counts. Called by `scripts/simulate_polling`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from scripts.polling.knowing import Clairvoyant
from scripts.polling.policies import Budgeted, Policy, Watched
from scripts.polling.world import World

# A watch is renewed so long before its week is over.
RENEWED_AFTER_DAYS = 5.5
NEVER = 1e9
STEP_HOURS = 6


@dataclass(slots=True)
class Result:
    """`stale`: share of time in which something was not known yet. `polls`, `watches`: per calendar and day; renewals,
    which all make alike, left out. `waits`: days from each change until it was known. `detections`: from a death to
    the new channel, of channels that were taken for dead; `noticeable`: the same from the first change it missed.
    `daily`: polls per calendar, day by day."""

    name: str
    dial: float
    stale: float = 0.0
    polls: float = 0.0
    watches: float = 0.0
    waits: list[float] = field(default_factory=list)
    detections: list[float] = field(default_factory=list)
    noticeable: list[float] = field(default_factory=list)
    daily: list[float] = field(default_factory=list)

    @property
    def calls(self) -> float:
        return self.polls + self.watches


class Run:
    def __init__(self, world: World, policy: Policy, seed: int) -> None:
        self.world = world
        self.policy = policy
        self.chance = random.Random(seed)  # noqa: S311
        self.result = Result(policy.name, policy.dial)
        self.budget = policy.dial
        self.sees = isinstance(policy, Clairvoyant)

    def go(self) -> Result:
        followed = [_Followed(self, Watched(truth)) for truth in self.world.calendars]
        hours = int(self.world.days * 24)
        for hour in range(STEP_HOURS, hours + STEP_HOURS, STEP_HOURS):
            polls = self.result.polls
            for each in followed:
                each.until(min(hour, hours) / 24)
            if isinstance(self.policy, Budgeted):
                self.policy.spent(self.result.polls - polls, STEP_HOURS / 24, self.budget * len(followed))
            if hour % 24 == 0:
                self.policy.new_day(hour // 24, [each.watched for each in followed])
                self.result.daily.append((self.result.polls - sum(self.result.daily) * len(followed)) / len(followed))
        shares = len(followed) * self.world.days
        self.result.stale /= shares
        self.result.polls /= shares
        self.result.watches /= shares
        return self.result


class _Followed:
    """One calendar on its way through the month."""

    def __init__(self, run: Run, watched: Watched) -> None:
        self.run = run
        self.watched = watched
        self.pending: list[float] = []
        self.next_change = 0
        self.next_death = 0
        self.died: float | None = None
        self.first_missed: float | None = None
        self.renewal = run.chance.uniform(0, RENEWED_AFTER_DAYS)
        run.policy.start(watched)
        watched.opened = self.renewal - RENEWED_AFTER_DAYS
        self.planned_from = 0.0
        self.poll = run.policy.next_poll(watched, 0.0, run.chance.random())

    def until(self, end: float) -> None:
        truth = self.watched.truth
        changes, deaths = truth.changes, truth.deaths
        while True:
            change = changes[self.next_change] if self.next_change < len(changes) else NEVER
            death = deaths[self.next_death] if self.next_death < len(deaths) else NEVER
            at = min(change, death, self.poll, self.renewal)
            if at >= end:
                break
            if at == change:
                self._changed(at)
            elif at == self.poll:
                self._poll(at)
            elif at == death:
                self._died(at)
            else:
                self._open(at)
        if end >= self.run.world.days and self.pending:
            self.run.result.stale += end - self.pending[0]

    def _changed(self, at: float) -> None:
        truth = self.watched.truth
        is_announced = truth.announced[self.next_change] and not self.watched.is_dead
        self.next_change += 1
        self.pending.append(at)
        if is_announced and not self.run.world.is_out(truth.region, at):
            self._look(at, is_notified=True)
        elif self.watched.is_dead and self.first_missed is None:
            self.first_missed = at

    def _poll(self, at: float) -> None:
        """Pushes since it was planned put it off."""
        policy = self.run.policy
        if policy.counts_pushes and self.planned_from < self.watched.last_look:
            self._plan(self.watched.last_look)
            if self.poll > at:
                return
        self.run.result.polls += 1
        self._look(at, is_notified=False)
        self._plan(at)

    def _plan(self, look: float) -> None:
        self.planned_from = look
        self.poll = self.run.policy.next_poll(self.watched, look, self.run.chance.random())

    def _look(self, at: float, *, is_notified: bool) -> None:
        result, pending = self.run.result, self.pending
        if pending:
            result.stale += at - pending[0]
            result.waits.extend(at - when for when in pending)
        if is_notified:
            self.watched.last_push = at
        if self.run.policy.looked(self.watched, at, pending, is_notified):
            result.watches += 1
            self._open(at, is_detected=True)
        self.watched.last_look = at
        self.pending = []

    def _died(self, at: float) -> None:
        self.next_death += 1
        if self.watched.is_dead:
            return
        self.watched.is_dead = True
        self.died, self.first_missed = at, None
        if self.run.sees:
            self.run.result.watches += 1
            self._open(at, is_detected=True)

    def _open(self, at: float, *, is_detected: bool = False) -> None:
        if self.died is not None and is_detected:
            self.run.result.detections.append(at - self.died)
            if self.first_missed is not None:
                self.run.result.noticeable.append(at - self.first_missed)
        self.watched.is_dead = False
        self.died = None
        self.watched.opened = at
        self.renewal = at + RENEWED_AFTER_DAYS
        self.run.policy.renewed(self.watched)
