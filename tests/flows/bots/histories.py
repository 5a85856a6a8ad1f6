"""Random histories of people's calendars, wishes and providers in trouble; in the end the wished bots, and no other.

The suite runs a few; by hand, for more:

    .venv/bin/python -m tests.flows.bots.histories attendee FIRST_SEED COUNT [EVERY]
"""

from __future__ import annotations

import datetime as dt
import random
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from scripts.stack.bots import FakeServer
from scripts.stack.environment import google_addresses
from scripts.stack.google.control import GoogleControl
from scripts.stack.google.errors import ControlError
from scripts.stack.google.server import EmulatorServer
from scripts.stack.supabase import LocalSupabase
from sync.errors import StoreFailure
from sync.jobs.bots.follow_bots import follow_bots
from sync.jobs.bots.reconcile_bots import reconcile_bots
from tests.flows.bots.company import Company
from tests.flows.bots.judge import problems
from tests.flows.bots.mortal import Died, mortal
from tests.flows.bots.stage import BotStage
from tests.situations.quiet import quieten, sync_all
from tests.world import World

ADVANCES = [20, 100, 170, 400, 900, 2400]
TROUBLES = ["cut", "lost_answer", "status_after", "status", "throttled", "truncated", "foreign_answer", "slow"]
OWN_TROUBLES = {"attendee": ["internal_error", "too_many_bots"], "recall": ["pool_empty", "in_flight"], "webhook": []}
IN_CALL = {"attendee": "joined_recording", "recall": "in_call_recording", "webhook": "bot_joined"}
ENDED = {"attendee": "ended", "recall": "done", "webhook": "completed"}
CHANCE_OF_DEATH = 0.08
# Rounds of a few minutes each: what cannot be removed in its last minutes is once it joins.
HEALING_ROUNDS = 6


class History(Company):
    """A company, a provider, and what happens to both."""

    def __init__(self, world: World, fake: FakeServer, seed: int) -> None:
        dice = random.Random(seed)
        # Its own: threads take turns at it, and what people do is to be the same in each run of a seed.
        self.fate = random.Random(seed)
        # Delivery is to come to the right end by itself: every other history has nothing repaired.
        self.is_reconciled = seed % 2 == 0
        sharing = dice.choice(["room", "room", "user", "none"])
        self.fake, self.sharing = fake, sharing
        self.stage = BotStage(world, fake, BOT_SHARING=sharing)
        if fake.kind != "webhook":
            # A listing waits long between its pages.
            fake.control.configure(page_size=100)
        quieten(world, world.now)
        super().__init__(world, dice)
        self.done: Counter[str] = Counter()

    def run(self, steps: int) -> None:
        """Random steps, with bots followed after some; then all trouble ends. Asserts that all is as wished then."""
        for _ in range(3):
            self.create()
        for _ in range(steps):
            step = self.dice.choice(STEPS)
            self.done[step.__name__] += 1
            with suppress(ControlError):
                step(self)
            if self.dice.random() < 0.6:
                self.sync()
            if self.dice.random() < 0.7:
                self.follow()
        self.heal()

    # What happens meanwhile

    def trouble(self) -> None:
        self.fake.control.clear_faults()
        for kind in self.dice.sample([*TROUBLES, *OWN_TROUBLES[self.fake.kind]], 3):
            self.fake.control.add_fault(kind, probability=0.12, skip=self.dice.randrange(3), seconds=0.05)

    def peace(self) -> None:
        self.fake.control.clear_faults()

    def lose_messages(self) -> None:
        switches = {"drop_rate": 0.34, "duplicate": self.dice.randrange(3), "hold": self.dice.random() < 0.5}
        self.fake.control.configure(**switches)

    def late_messages(self) -> None:
        self.fake.control.configure(hold=False, drop_rate=0.0, duplicate=0)
        self.fake.control.flush_messages(reverse=self.dice.random() < 0.5)

    def time_passes(self) -> None:
        self.pass_time(self.dice.choice(ADVANCES))

    def reconcile(self) -> None:
        if not self.is_reconciled:
            return
        with suppress(Died, StoreFailure):
            reconcile_bots(mortal(self.world.services, self.fate, chance=CHANCE_OF_DEATH))

    # Carrying it out

    def pass_time(self, seconds: float) -> None:
        """For everybody; bots come into their calls, and those of meetings that are over leave them."""
        self.world.travel_to(self.world.now + dt.timedelta(seconds=seconds))
        self.fake.control.advance(seconds)
        over = {
            row["bot_id"]
            for row in self.world.rows(
                "select bot_id from bot_requests where wanted and bot_id is not null and meeting_end <= %s",
                self.world.now,
            )
        }
        for bot in self.fake.control.bots(alive=True):
            has_joined = bot["join_at"] is None or dt.datetime.fromisoformat(bot["join_at"]) <= self.world.now
            if has_joined and bot["id"] in over:
                self.fake.control.set_state(bot["id"], ENDED[self.fake.kind])
            elif has_joined and bot["state"] in {"joining", "joining_call", "bot_scheduled"}:
                self.fake.control.set_state(bot["id"], IN_CALL[self.fake.kind])

    def sync(self) -> None:
        for person in self.people:
            sync_all(self.world, person)

    def follow(self) -> None:
        """By a process that may die, at times beside another one; leases and backoffs are over."""
        self.stage.hasten()
        with suppress(Died, StoreFailure):
            beside = Thread(target=self._follow_and_may_die) if self.dice.random() < 0.3 else None
            if beside:
                beside.start()
            try:
                follow_bots(mortal(self.world.services, self.fate, chance=CHANCE_OF_DEATH))
            finally:
                if beside:
                    beside.join()

    def _follow_and_may_die(self) -> None:
        with suppress(Died, StoreFailure):
            follow_bots(mortal(self.world.services, random.Random(self.fate.random()), chance=CHANCE_OF_DEATH))

    def heal(self) -> None:
        self.fake.control.clear_faults()
        self.late_messages()
        self.regain_access()
        found = ["never looked"]
        for _ in range(HEALING_ROUNDS):
            self.sync()
            self.stage.follow()
            if self.is_reconciled:
                self.stage.reconcile()
                self.stage.follow()
            # What the lost messages said of a bot, only a listing tells.
            found = problems(self.stage, self.people, self.sharing, knows_states=self.is_reconciled)
            if not found:
                return
            self.pass_time(170)
        raise AssertionError("\n".join(found))


STEPS: list[Callable[[History], None]] = [
    *[History.create, History.create_shared, History.move] * 2,
    *[History.time_passes] * 4,
    *[History.trouble] * 3,
    History.series,
    History.relink,
    History.answer,
    History.cancel,
    History.restore,
    History.edit_instance,
    History.split,
    History.override,
    History.prefer,
    History.change_tenant,
    History.lose_access,
    History.regain_access,
    History.leave,
    History.peace,
    History.lose_messages,
    History.late_messages,
    History.reconcile,
]


def empty(world: World) -> None:
    """Nothing is left of an earlier history."""
    world.db.execute("delete from auth.users")
    world.db.execute("truncate bot_wishes, bot_requests, bot_providers, bot_messages")
    world.google.reset()


def main() -> None:
    kind, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    every = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    began, failed, steps = dt.datetime.now(dt.UTC), 0, Counter[str]()
    fake = FakeServer(kind).start()
    with LocalSupabase() as supabase, EmulatorServer() as emulator:
        for seed in range(first, first + count * every, every) if every else [first] * count:
            google = GoogleControl(emulator.url)
            environment = {**supabase.environment(google_addresses(google.base_url)), "LOG_LEVEL": "error"}
            world = World(supabase, google, environment)
            empty(world)
            fake.control.reset()
            history = History(world, fake, seed)
            try:
                history.run(14)
            except Exception as wrong:  # noqa: BLE001 - one that fails is told of, and the next is run
                failed += 1
                print(f"seed {seed}: {type(wrong).__name__}\n{wrong}", flush=True)  # noqa: T201
            finally:
                world.close()
            steps += history.done
    fake.stop()
    print(f"{kind}: {count} histories, {failed} failed, {dt.datetime.now(dt.UTC) - began}, {dict(steps)}")  # noqa: T201


if __name__ == "__main__":
    main()
