"""Which polls prove that push missed a change, by tables."""

from __future__ import annotations

import datetime as dt

import pytest

from sync.core.polling.push_health import ANNOUNCED_WITHIN_SECONDS, judge_push

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
OLD = NOW - dt.timedelta(hours=1)
YOUNG = NOW - dt.timedelta(seconds=ANNOUNCED_WITHIN_SECONDS)


@pytest.mark.parametrize(
    ("changed_at", "missed"),
    [
        ([], False),
        ([None], False),
        ([YOUNG], False),
        ([NOW + dt.timedelta(minutes=5)], False),
        ([YOUNG - dt.timedelta(seconds=1)], True),
        ([OLD], True),
        ([None, YOUNG, OLD], True),
    ],
)
def test_a_poll_that_finds_an_older_change_is_a_missed_push(changed_at: list[dt.datetime | None], missed: bool) -> None:
    verdict = judge_push(changed_at, was_notified=False, is_full=False, has_live_channel=True, missed_before=0, now=NOW)

    assert verdict.missed_push is missed


@pytest.mark.parametrize(
    ("was_notified", "is_full", "has_live_channel"),
    [(True, False, True), (False, True, True), (False, False, False)],
)
def test_a_sync_that_proves_nothing_accuses_nobody(was_notified: bool, is_full: bool, has_live_channel: bool) -> None:
    verdict = judge_push(
        [OLD],
        was_notified=was_notified,
        is_full=is_full,
        has_live_channel=has_live_channel,
        missed_before=2,
        now=NOW,
    )

    assert (verdict.missed_push, verdict.reopen_watch) == (False, False)


@pytest.mark.parametrize(
    ("missed_before", "reopen"), [(0, False), (1, False), (2, True), (3, False), (4, False), (5, True)]
)
def test_every_third_missed_push_in_a_row_reopens_the_watch(missed_before: int, reopen: bool) -> None:
    verdict = judge_push(
        [OLD], was_notified=False, is_full=False, has_live_channel=True, missed_before=missed_before, now=NOW
    )

    assert verdict.reopen_watch is reopen


def test_a_quiet_poll_after_missed_pushes_reopens_nothing() -> None:
    verdict = judge_push([], was_notified=False, is_full=False, has_live_channel=True, missed_before=2, now=NOW)

    assert verdict.reopen_watch is False
