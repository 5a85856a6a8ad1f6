"""What a sync's changes tell about push, by tables. Ages are seconds before the sync."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.core.polling.evidence import ANNOUNCED_WITHIN_SECONDS, Evidence, weigh_changes

GRACE, HOUR = ANNOUNCED_WITHIN_SECONDS, 3600.0


@pytest.mark.parametrize(
    ("ages", "changes", "missed", "first"),
    [
        ([], 0, 0, 0.0),
        ([None, None], 0, 0, 0.0),
        ([GRACE], 1, 0, 0.0),
        ([-30.0], 1, 0, 0.0),
        ([GRACE + 1], 1, 1, GRACE + 1),
        ([HOUR, 2 * HOUR, 5.0, None], 3, 2, 2 * HOUR),
        ([HOUR, HOUR + 50, HOUR + 100], 1, 1, HOUR + 100),
        ([7 * HOUR], 0, 0, 0.0),
    ],
    ids=[
        "nothing",
        "tombstones",
        "young",
        "our clock is slow",
        "old",
        "several",
        "burst",
        "known before the last look",
    ],
)
def test_a_poll_finds_what_was_missed(ages: list[float | None], changes: int, missed: int, first: float) -> None:
    seen = weigh_changes(ages, look_seconds=6 * HOUR, notified_seconds=None)
    assert replace(seen, ages_seconds=()) == Evidence(changes, 0, missed, first)


@pytest.mark.parametrize(
    ("ages", "announced", "missed", "delay"),
    [
        ([], 0, 0, None),
        ([12.0], 1, 0, 2.0),
        ([9.0], 1, 0, 0.0),
        ([10.0 + GRACE], 1, 0, GRACE),
        ([11.0 + GRACE], 0, 1, None),
        ([15.0, HOUR], 1, 1, 5.0),
    ],
    ids=["nothing", "announced", "clocks differ", "late", "too late to be its own", "one lost before"],
)
def test_a_notified_sync_finds_what_was_announced_and_what_was_lost_before(
    ages: list[float | None], announced: int, missed: int, delay: float | None
) -> None:
    seen = weigh_changes(ages, look_seconds=6 * HOUR, notified_seconds=10.0)
    assert (seen.announced, seen.missed, seen.delay_seconds) == (announced, missed, delay)
    assert seen.was_notified


def test_a_change_is_announced_or_missed_or_undecided_and_never_two_of_them() -> None:
    ages = [float(age) for age in range(0, 5000, 61)]
    for notified in (None, 0.0, 700.0):
        seen = weigh_changes(ages, look_seconds=1e6, notified_seconds=notified)
        assert seen.changes == len(ages)
        assert seen.announced + seen.missed == (len(ages) if notified is not None else len(ages) - 2)
