"""Costly events of several calendars are reckoned one after the other; ordinary ones, and what is written meanwhile,
wait for nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from sync.jobs.syncing import commit_changes
from sync.jobs.syncing.by_turns import by_turns
from tests.core.items import HORIZON, ZONE, Item, daily, events, single

PATIENCE = 60.0


def test_one_piece_is_made_at_a_time() -> None:
    meeting = threading.Barrier(2)

    def meets_nobody() -> Iterator[bool]:
        try:
            meeting.wait(0.1)
        except threading.BrokenBarrierError:
            yield True
        else:
            yield False

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(list, by_turns(meets_nobody())) for _ in range(2)]

    assert [each.result() for each in found] == [[True], [True]]


def test_a_piece_that_is_worked_with_keeps_nobody_from_making_theirs() -> None:
    mine = by_turns(iter(["first", "second"]))
    assert next(mine) == "first"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(list, by_turns(iter(["theirs"]))).result(PATIENCE) == ["theirs"]

    assert list(mine) == ["second"]


def test_a_failure_ends_the_turn() -> None:
    def breaks() -> Iterator[str]:
        raise ValueError
        yield ""

    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(list, by_turns(breaks())).exception(PATIENCE), ValueError)
        assert pool.submit(list, by_turns(iter(["after"]))).result(PATIENCE) == ["after"]


@pytest.mark.parametrize(
    ("items", "takes_a_turn"),
    [
        ([single()], False),
        ([daily()], False),
        ([single(f"one{number}") for number in range(50)], False),
        ([single(f"one{number}") for number in range(51)], True),
        ([daily(rule="FREQ=HOURLY")], True),
        ([daily(rule="FREQ=DAILY;BYMINUTE=0,15")], True),
        ([single(recurrence=["RRULE:FREQ=DAILY", "EXDATE:" + ",".join(["20260312T090000Z"] * 100)])], True),
    ],
)
def test_what_may_take_long_to_make_takes_a_turn(
    monkeypatch: pytest.MonkeyPatch, items: list[Item], takes_a_turn: bool
) -> None:
    turns: list[Any] = []

    def noted(pieces: Iterator[Any]) -> Iterator[Any]:
        turns.append(pieces)
        return by_turns(pieces)

    monkeypatch.setattr(commit_changes, "by_turns", noted)
    never_synced = SimpleNamespace(calendar_id="calendar", last_synced_at=None)
    services = SimpleNamespace(store=SimpleNamespace(commits=None))
    listed = SimpleNamespace(families=lambda: iter([events(*items)]))
    listing = SimpleNamespace(changes=listed, is_full=True, time_zone=ZONE, set_aside=[])
    run: Any = SimpleNamespace(services=services, claim=never_synced)

    made = list(commit_changes._Writer(run, listing, HORIZON).parts())  # type: ignore[arg-type]

    families = {family.base_id for part in made for family in part.families}
    assert families == {event.base_id for event in events(*items)}
    assert bool(turns) is takes_a_turn
