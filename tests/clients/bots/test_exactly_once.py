"""Whoever asks as the head of `provider` says ends with exactly the wished bot, whatever is wished and goes wrong.

The asking here is the shortest there is: it keeps everything in memory, and waits for nothing but the fake's clock.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from scripts.stack.bots import FakeServer
from sync.bot_model import BotRef, MakeNew, Removed, WantedBot
from sync.clients.bots.provider import BotProvider
from sync.errors import BotAccountRefused, BotProviderBusy
from tests.bot_wishes import OTHER_ROOM, ROOM, now_at, wanted

EVERYWHERE = ["lost_answer", "status_after", "truncated", "cut", "status", "throttled"]
OWN = {"attendee": ["internal_error", "too_many_bots"], "recall": ["pool_empty", "in_flight"], "webhook": []}


@dataclass
class Asking:
    provider: BotProvider
    generation: int = 0
    attempt: int = 0
    ref: BotRef | None = None
    delivered: WantedBot | None = None
    # A creation that may have been carried out, with its attempt key and time.
    unsettled: tuple[WantedBot, str, dt.datetime] | None = None
    leaving: list[BotRef] = field(default_factory=list)

    def toward(self, wish: WantedBot | None, now: dt.datetime) -> None:
        """One step; what is busy or not possible yet is left to the next."""
        with suppress(BotProviderBusy, BotAccountRefused):
            self._settle(wish, now)
            if wish is None and self.ref:
                self._let_go()
            elif wish and self.ref is None:
                self._create(dataclasses.replace(wish, key=f"m1-{self.generation}"), self._attempt_key(), now)
            if wish and self.ref and self.delivered != (keyed := dataclasses.replace(wish, key=self.ref.key)):
                self._change(keyed, now)
        for ref in list(self.leaving):
            with suppress(BotProviderBusy, BotAccountRefused):
                if isinstance(self.provider.remove(ref, self._attempt_key()), Removed):
                    self.leaving.remove(ref)

    def _attempt_key(self) -> str:
        self.attempt += 1
        return f"attempt-{self.attempt}"

    def _let_go(self) -> None:
        assert self.ref
        self.leaving.append(self.ref)
        self.ref, self.delivered, self.generation = None, None, self.generation + 1

    def _settle(self, wish: WantedBot | None, now: dt.datetime) -> None:
        if self.unsettled is None:
            return
        tried, attempt_key, tried_at = self.unsettled
        alive = [bot for bot in self.provider.find(tried.key) if bot.is_alive]
        if alive:
            self.ref, self.delivered, self.unsettled = BotRef(alive[0].id, tried.key, None), None, None
            self.leaving += [BotRef(bot.id, tried.key, None) for bot in alive[1:]]
        elif wish is None:
            # Known by key: it is told to end, whether it began or not.
            self.ref, self.unsettled = BotRef(tried.key, tried.key, None), None
        else:
            is_old = (now - tried_at).total_seconds() > self.provider.limits.attempt_key_seconds
            self._create(tried, self._attempt_key() if is_old else attempt_key, now)

    def _create(self, wish: WantedBot, attempt_key: str, now: dt.datetime) -> None:
        try:
            bot = self.provider.create(wish, attempt_key, now)
        except BotProviderBusy as busy:
            if busy.maybe_done or self.unsettled:
                self.unsettled = (wish, attempt_key if busy.maybe_done else self._attempt_key(), now)
            raise
        self.ref, self.delivered, self.unsettled = BotRef(bot.id, wish.key, wish.join_at), wish, None

    def _change(self, wish: WantedBot, now: dt.datetime) -> None:
        assert self.ref
        try:
            outcome = self.provider.change(self.ref, wish, self._attempt_key(), now)
        except BotProviderBusy:
            self.ref, self.delivered = dataclasses.replace(self.ref, join_at=None), None
            raise
        if isinstance(outcome, MakeNew):
            self._let_go()
        else:
            self.ref, self.delivered = dataclasses.replace(self.ref, join_at=wish.join_at), wish


def drawn(dice: random.Random, fake: FakeServer) -> WantedBot | None:
    if dice.random() < 0.25:
        return None
    room, name = dice.choice([ROOM, OTHER_ROOM]), dice.choice(["Notes", "Minutes"])
    return wanted(fake, in_minutes=dice.choice([-5, 1, 4, 9, 12, 40, 200]), meeting_url=room, bot_name=name)


def is_as_wished(fake: FakeServer, wish: WantedBot | None) -> bool:
    found = fake.control.bots(alive=True)
    if wish is None or len(found) != 1:
        return wish is None and not found
    said = found[0]["wish"]
    waits = found[0]["state"] in {"scheduled", "ready", "bot_scheduled"} and found[0]["join_at"]
    is_in_time = not waits or wish.join_at < now_at(fake) or dt.datetime.fromisoformat(waits) == wish.join_at
    return (said["meeting_url"], said["bot_name"]) == (wish.meeting_url, wish.bot_name) and is_in_time


@pytest.mark.parametrize("seed", range(6))
def test_every_history_ends_with_exactly_the_wished_bot(fake: FakeServer, provider: BotProvider, seed: int) -> None:
    dice = random.Random(seed)
    asking, wish = Asking(provider), None
    for _ in range(12):
        wish = drawn(dice, fake)
        fake.control.clear_faults()
        for kind in dice.sample([*EVERYWHERE, *OWN[fake.kind]], 2):
            fake.control.add_fault(kind, probability=0.34, skip=dice.randrange(2))
        for _ in range(dice.randrange(1, 4)):
            asking.toward(wish, now_at(fake))
            fake.control.advance(dice.choice([5, 60, 240, 2000]))
    fake.control.clear_faults()

    for _ in range(60):
        asking.toward(wish, now_at(fake))
        if is_as_wished(fake, wish) and not asking.leaving and not asking.unsettled:
            break
        fake.control.advance(240)

    assert is_as_wished(fake, wish), (wish, fake.control.bots(alive=True), asking)
