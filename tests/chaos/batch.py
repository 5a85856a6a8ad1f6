"""Some histories side by side on one field under one fate; then all is healed, and judged. Used by the tests and by
`python -m tests.chaos`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos import bots, told
from tests.chaos.afterwards import announce, seen_afterwards
from tests.chaos.field import Field
from tests.chaos.judge import judged
from tests.chaos.misfortunes import Fate, Strike, ask_for
from tests.chaos.people import History, Presence, new_history
from tests.world import World, wait_until

STEPS = 24
# As if hours had passed: what was put off is due, openings whose process died are given up, a grant that was refused
# once may be refused again, Google's quota is whole, no notification vouches for a calendar any more, and each is due
# for a poll. Leases are left to lapse, unless there is no time for it.
HOURS_PASS = """
update calendar_webhooks set not_before = null, due_at = least(due_at, now()), due_reason = 'poll_interval',
  last_webhook_received = last_webhook_received - interval '8 hours' where lease_expires_at is null;
update calendar_webhooks set watch_retry_at = null where watch_failures > 0;
update google_credentials set suspected_at = suspected_at - interval '8 hours' where suspected_at is not null;
update calendar_channels set stop_after = now() where stop_after > now() + interval '5 minutes';
update calendar_channels set created_at = created_at - interval '1 hour'
where state = 'opening' and created_at < now() - interval '30 seconds';
update calendar_channels set updated_at = updated_at - interval '8 hours' where state = 'stopped';
update google_quota set rate = most, blocked_until = null
"""
# A channel that died silently is known by its misses, which take changes that are minutes old; or lapses in the end.
LAPSE = "update calendar_webhooks set expiration_time = now() where webhook_id = any(%s)"
END_LEASES = "update calendar_webhooks set lease_expires_at = now() where lease_expires_at is not null"
ROUND_SECONDS = 6.0
# Nobody helps any more, and twenty people who have left are thousands of events: what is late is not wrong.
UNAIDED_SECONDS = 60.0


@dataclass(frozen=True)
class Verdict:
    """`wrong`: lines by the seed of the history; `bugs`: what processes said; `strikes`: what happened, in order."""

    wrong: dict[int, list[str]]
    bugs: list[str]
    strikes: list[str]
    healed_after_seconds: float


def run_batch(
    seed: int,
    count: int,
    *,
    strikes: Sequence[Strike],
    strikes_per_second: float = 1.5,
    processes: int | None = None,
    heal_seconds: float = 120.0,
    waits_for_leases: bool = True,
    tell: Callable[[str], None] = lambda _line: None,
) -> Verdict:
    """`count` histories, of the seeds from seed * 1000 on, through these strikes. `processes`: 2 to 4, else as the
    seed says."""
    dice = random.Random(seed)
    with Field(dice, processes) as field:
        histories = [new_history(field.world, seed * 1000 + number, STEPS) for number in range(count)]
        tell("joins")
        field.await_up()
        field.told.subscribe(field.post)
        field.bots.give_to(field.world, histories[0].members[0], f"http://127.0.0.1:{field.webs[0].port}")
        _join(field, histories)
        tell("goes wrong")
        fate = Fate(field, histories, dice)
        _go_wrong(fate, histories, strikes, strikes_per_second)
        tell("heals")
        began = time.monotonic()
        wrong = _heal(fate, histories, heal_seconds, waits_for_leases=waits_for_leases)
        if not wrong:
            tell("goes on")
            wrong = _go_on_unaided(field, histories)
        field.listen()
        return Verdict(wrong, field.bugs, fate.done, time.monotonic() - began)


def _join(field: Field, histories: list[History]) -> None:
    members = [member for history in histories for member in history.members]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda member: ask_for(field, member), members))


def _go_wrong(fate: Fate, histories: list[History], strikes: Sequence[Strike], strikes_per_second: float) -> None:
    total = sum(len(history.steps) for history in histories)
    # Its own: how often it is asked hangs on how fast the machine is, and what goes wrong is to be the seed's alone.
    turns = random.Random(fate.dice.random())

    def live(for_seconds: float) -> None:
        """People go on, as fast as their steps are spread over all strikes."""
        until = time.monotonic() + for_seconds
        while time.monotonic() < until:
            going = [history for history in histories if not history.is_over]
            left = sum(len(history.steps) for history in going)
            if left > total * (1 - len(fate.done) / len(strikes)):
                turns.choice(going).go_on()
            else:
                time.sleep(0.02)

    fate.go_on = live
    pauses = [fate.dice.expovariate(strikes_per_second) for _ in strikes]
    for strike, seconds in zip(strikes, pauses, strict=True):
        fate.strike(strike)
        live(seconds)
    for history in histories:
        while not history.is_over:
            history.go_on()


def _heal(
    fate: Fate, histories: list[History], within_seconds: float, *, waits_for_leases: bool
) -> dict[int, list[str]]:
    """All trouble ends, whoever waits for an answer asks again, each calendar changes once more; what is still wrong
    after the time."""
    field, world = fate.field, fate.field.world
    world.supabase.clear_faults()
    world.google.clear_faults()
    field.bots.peace()
    field.told.peace()
    world.google.configure(
        push="deliver", drop_rate=0.0, duplicate=0, delay_seconds=0.0, reorder=False, push_retry_base_seconds=0.3
    )
    world.google.flush_push()
    field.await_up()
    wait_until(lambda: field.post("/functions/v1/calendar-polling-cron", {}) == 200, "the store is back", 60)
    if not waits_for_leases:
        field.sql(END_LEASES)
        field.sql(told.END_LEASES)
    deadline = time.monotonic() + within_seconds
    wrong = {history.seed: ["never looked"] for history in histories}
    while wrong and time.monotonic() < deadline:
        field.sql(HOURS_PASS)
        field.sql(LAPSE, fate.dead_channels)
        field.sql(bots.HOURS_PASS)
        if not waits_for_leases:
            field.sql(bots.END_LEASES)
        for statement in told.HOURS_PASS:
            field.sql(statement)
        _ask_again(field, histories)
        # A channel that should be dead is stopped when it speaks. And what was right before may not stay so.
        _touch(world, histories)
        wrong = _until_right(field, histories, ROUND_SECONDS)
    return wrong


def _go_on_unaided(field: Field, histories: list[History]) -> dict[int, list[str]]:
    """What is wrong once nobody helps any more; and after somebody left."""
    announce(field, histories)
    return seen_afterwards(field, histories) or _until_right(field, histories, UNAIDED_SECONDS)


def _until_right(field: Field, histories: list[History], within_seconds: float) -> dict[int, list[str]]:
    """Crons call, and what is wrong is looked at, until nothing is or the time is over."""
    deadline = time.monotonic() + within_seconds
    wrong = {history.seed: ["never looked"] for history in histories}
    while wrong and time.monotonic() < deadline:
        for path in ("renew-calendar-watches", "calendar-polling-cron"):
            field.post(f"/functions/v1/{path}", {})
        wrong = judged(field.world, [history for history in histories if history.seed in wrong], field.bots, field.told)
    return wrong


def _touch(world: World, histories: list[History]) -> None:
    """Each calendar changes once more, and Google pushes it."""
    for history in histories:
        for member in history.members:
            for calendar_id in member.calendars.values():
                world.google.insert_event(calendar_id, world.event("Afterwards", hours=20))


def _ask_again(field: Field, histories: list[History]) -> None:
    """Who was not answered, and whose connection was lost: they sign in anew."""
    lost = {
        str(row["user_id"])
        for row in field.world.rows("select user_id from google_credentials where status <> 'connected'")
    }
    for history in histories:
        for member in history.members:
            is_lost = member.presence is Presence.JOINED and member.person.user_id in lost
            if member.is_unanswered or is_lost:
                with suppress(AssertionError):
                    ask_for(field, member)
