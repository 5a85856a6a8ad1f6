"""Room for everybody: what each kind of sync may take of a process' threads."""

from __future__ import annotations

import pytest

from sync.jobs.driving.lanes import SUSPECT_PATIENCE_SECONDS, Lanes


def running(threads: int, *lanes: str) -> Lanes:
    made = Lanes(threads)
    for lane in lanes:
        made.enter(lane)
    return made


@pytest.mark.parametrize(
    ("threads", "lanes", "room"),
    [
        (4, [], {"notified": 3, "first": 2, "poll": 3, "suspect": 1}),
        (1, [], {"notified": 1, "first": 1, "poll": 1, "suspect": 1}),
        # However many wait for Google side by side, few list calendars whole.
        (32, ["poll"], {"notified": 31, "first": 4, "poll": 30, "suspect": 0}),
        # The last thread is left to notified calendars, whatever else there is.
        (4, ["poll", "poll", "poll"], {"notified": 1, "first": 0, "poll": 0, "suspect": 0}),
        (4, ["first", "first", "poll"], {"notified": 1, "first": 0, "poll": 0, "suspect": 0}),
        # And one to the others.
        (4, ["notified", "notified", "notified"], {"notified": 0, "first": 1, "poll": 1, "suspect": 0}),
        (4, ["first", "first"], {"notified": 2, "first": 0, "poll": 1, "suspect": 0}),
        # Long syncs run beside all that.
        (4, ["long", "long"], {"notified": 3, "first": 2, "poll": 3, "suspect": 0}),
        (4, ["poll", "poll", "notified", "notified"], {}),
        (4, ["suspect"], {}),
    ],
)
def test_no_lane_takes_what_is_kept_for_another(threads: int, lanes: list[str], room: dict[str, int]) -> None:
    assert running(threads, *lanes).room(0.0) == room


def test_a_sync_that_is_long_leaves_its_place() -> None:
    lanes = running(1, "first")
    assert lanes.free() == 0

    assert lanes.lengthen("first") == "long"

    assert lanes.free() == 1
    lanes.leave("long")
    assert lanes.busy == 0


def test_few_may_be_long_however_many_threads_there_are() -> None:
    lanes = running(32, *["poll"] * 9)
    assert [lanes.lengthen("poll") for _ in range(9)] == ["long"] * 8 + ["poll"]


def test_as_many_may_be_long_as_there_are_threads() -> None:
    lanes = running(2, "poll", "poll")
    assert [lanes.lengthen("poll"), lanes.lengthen("poll")] == ["long", "long"]
    lanes.enter("poll")
    assert lanes.lengthen("poll") == "poll"


def test_a_suspect_waits_for_the_process_to_be_idle_but_not_for_ever() -> None:
    lanes = running(4)
    assert lanes.room(0.0)["suspect"] == 1
    lanes.enter("poll")
    assert lanes.room(1.0)["suspect"] == 0
    assert lanes.room(SUSPECT_PATIENCE_SECONDS)["suspect"] == 1
