"""How push stands, by its facts."""

from __future__ import annotations

import pytest

from sync.core.polling.push_state import PushFacts, is_improbable, odd_after_seconds, push_standing
from sync.core.polling.rhythm import EVEN, Rhythm
from sync.states import PushState


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        ({}, PushState.HEALTHY, None),
        ({"unproven_days": 1.5}, PushState.QUIET, "nothing_announced"),
        ({"unproven_days": 1.5, "expected_pushes": 0.4}, PushState.QUIET, "nothing_announced"),
        ({"expected_pushes": 3.1}, PushState.SUSPECT, "improbable_silence"),
        ({"missed_in_a_row": 1}, PushState.SUSPECT, "missed_push"),
        ({"missed_in_a_row": 1, "reopened_in_vain": 1}, PushState.SUSPECT, "missed_push"),
        ({"trouble_of_region": "silent", "missed_in_a_row": 1}, PushState.SUSPECT, "region_silent"),
        ({"missed_in_a_row": 2, "trouble_of_region": "sick"}, PushState.FAILING, "missed_pushes"),
        ({"missed_in_a_row": 1, "reopened_in_vain": 2}, PushState.FAILING, "missed_pushes"),
        ({"recall": 0.2, "counted": 10.0}, PushState.FAILING, "low_recall"),
        ({"recall": 0.2, "counted": 2.0}, PushState.HEALTHY, None),
        ({"has_channel": False}, PushState.FAILING, "no_live_channel"),
        ({"is_unsupported": True, "has_channel": False}, PushState.UNSUPPORTED, "push_unsupported"),
        ({"paused_reason": "needs_reauth", "is_unsupported": True}, PushState.PAUSED, "needs_reauth"),
        ({"is_connected": False, "paused_reason": "needs_reauth"}, PushState.DISCONNECTED, "disconnected"),
    ],
)
def test_the_first_that_holds(facts: dict[str, object], state: PushState, reason: str | None) -> None:
    standing = push_standing(PushFacts(**facts))  # type: ignore[arg-type]
    assert (standing.state, standing.reason) == (state, reason)


@pytest.mark.parametrize(
    ("pushes_a_day", "within_hours", "odd_after_hours"),
    [(72.0, 6, 1.0), (12.0, 7, 6.0), (12.0, 6, None), (1.0, 24, None), (0.0, 24, None)],
)
def test_a_silence_is_odd_after_three_pushes_that_did_not_come(
    pushes_a_day: float, within_hours: float, odd_after_hours: float | None
) -> None:
    odd = odd_after_seconds(pushes_a_day, EVEN, 0.0, within_hours * 3600.0)
    assert odd == (None if odd_after_hours is None else pytest.approx(odd_after_hours * 3600.0, abs=900.0))


def test_a_silent_night_is_not_odd() -> None:
    office = Rhythm(tuple(2.0 if 8 <= hour % 24 < 20 else 0.0 for hour in range(168)))
    odd = odd_after_seconds(24.0, office, 20.0, 24 * 3600.0)
    assert odd == pytest.approx((12 + 1.5) * 3600.0, abs=900.0)


@pytest.mark.parametrize("hour", [0.0, 7.3, 20.0, 160.9])
@pytest.mark.parametrize("pushes_a_day", [0.0, 0.5, 3.0, 24.0, 400.0])
@pytest.mark.parametrize("within_seconds", [0.0, 60.0, 900.0, 901.0, 21_600.0, 200_000.0])
def test_the_moment_is_that_of_whoever_looks_every_quarter_of_an_hour(
    hour: float, pushes_a_day: float, within_seconds: float
) -> None:
    office = Rhythm(tuple(2.0 if 8 <= hour % 24 < 20 else 0.0 for hour in range(168)))
    looks = (900.0 * number for number in range(1, 300) if 900.0 * number < within_seconds)
    odd = next((at for at in looks if is_improbable(pushes_a_day * office.days(hour, at / 3600.0))), None)
    assert odd_after_seconds(pushes_a_day, office, hour, within_seconds) == odd
