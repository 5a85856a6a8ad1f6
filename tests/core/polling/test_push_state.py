"""How push stands, by its facts."""

from __future__ import annotations

import pytest

from sync.core.polling.push_state import PushFacts, push_standing
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
        ({"is_ingress_down": True, "missed_in_a_row": 1}, PushState.SUSPECT, "ingress_silent"),
        ({"missed_in_a_row": 2, "is_ingress_down": True}, PushState.FAILING, "missed_pushes"),
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
