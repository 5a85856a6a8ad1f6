"""A subscriber to all events, who often refuses: in the end told of each, once it is counted once, and in order.

Used by batch.py and judge.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

from tests.subscriber import Message, Reply, subscriber
from tests.world import JsonObject, World

SUBSCRIPTIONS = "/functions/v1/subscriptions"
# Waits for nobody, and so is in no deadlock with who delivers: what is locked now is looked at again soon.
_DUE = """
update event_deliveries d set next_attempt_at = now() from (
  select f.event_id, f.subscription_id from event_deliveries f where f.state = 'pending' {which}
  for update skip locked) free
where d.event_id = free.event_id and d.subscription_id = free.subscription_id
"""
HOURS_PASS = (
    _DUE.format(which="and f.attempts = f.attempts_ended"),
    "update event_subscriptions set not_before = null where id in (select id from event_subscriptions"
    " for update skip locked)",
)
END_LEASES = _DUE.format(which="")
# Also what nobody was told of yet: it has no position.
_EVENTS = (
    "select id, position, type, order_key::text as key, meeting_id::text as meeting from change_events order by id"
)
_STANDS = "select state, state_reason from event_subscriptions where state <> 'enabled'"
# An update makes no difference to the last word, but brings back what was cancelled.
_WRONG_LAST_WORD = """
select m.id::text as id, m.title, m.status, last.type from meetings m join lateral (
  select case when e.type = 'meeting.cancelled' then 'gone' else 'there' end as is, e.type from change_events e
  where e.meeting_id = m.id and (e.type in ('meeting.created', 'meeting.cancelled')
    or (e.type = 'meeting.updated' and e.data -> 'changed' ? 'status'))
  order by e.id desc limit 1) last on true
where (last.is = 'gone') <> (m.status = 'cancelled')
"""
_NEVER_TOLD = """
select m.id::text as id, m.title from meetings m
where m.status <> 'cancelled' and not exists (select 1 from change_events e where e.meeting_id = m.id)
"""


class Told:
    """Listens from before the first calendar is connected. A context manager."""

    def __init__(self) -> None:
        self._dice, self._exits, self._refuses = random.Random(1), ExitStack(), 0.0

    def __enter__(self) -> Told:
        self._subscriber = self._exits.enter_context(subscriber())
        self._subscriber.answer = self._answer
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def subscribe(self, post: Callable[[str, JsonObject], int]) -> None:
        status = post(SUBSCRIPTIONS, {"url": self._subscriber.url})
        assert status == 201, status

    def trouble(self) -> None:
        self._refuses = 0.3

    def peace(self) -> None:
        self._refuses = 0.0

    def _answer(self, _message: Message) -> Reply:
        return 503 if self._dice.random() < self._refuses else 204

    def problems(self, world: World) -> list[str]:
        """A line for each event that is untold, or told out of its order; for each meeting of which the last word is
        wrong."""
        rows = world.rows(_EVENTS)
        found = [
            f"told: {row['title']} is {row['status']}, last told {row['type']}" for row in world.rows(_WRONG_LAST_WORD)
        ]
        found += [f"told: nobody was told of {row['title']}" for row in world.rows(_NEVER_TOLD)]
        found += [f"told: the subscription is {row['state']}: {row['state_reason']}" for row in world.rows(_STANDS)]
        first: dict[str, int] = {}
        for place, message in enumerate(list(self._subscriber.accepted)):
            first.setdefault(message.id, place)
        return found + _created_twice(rows) + _untold(rows, first) + _disordered(rows, first)


def _created_twice(rows: list[dict[str, Any]]) -> list[str]:
    created = [row["meeting"] for row in rows if row["type"] == "meeting.created"]
    return [f"told: {each} was made twice" for each in sorted({e for e in created if created.count(e) > 1})]


def _untold(rows: list[dict[str, Any]], first: dict[str, int]) -> list[str]:
    untold = [row["type"] for row in rows if f"evt_{row['position']}" not in first]
    return [f"told: {len(untold)} of {len(rows)} events are not: {untold[:3]}"] if untold else []


def _disordered(rows: list[dict[str, Any]], first: dict[str, int]) -> list[str]:
    by_key: dict[str, list[int]] = {}
    for row in sorted((row for row in rows if row["position"]), key=lambda row: int(row["position"])):
        if (place := first.get(f"evt_{row['position']}")) is not None:
            by_key.setdefault(row["key"], []).append(place)
    return [f"told: {key} out of order" for key, places in by_key.items() if any(a > b for a, b in pairwise(places))]
