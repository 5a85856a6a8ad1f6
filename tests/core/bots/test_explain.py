"""Why a bot joins, or why none does: every reason has its words, and every state of a request."""

from __future__ import annotations

from typing import Any

import pytest

from sync.core.bots.explain import explain_bot
from sync.core.bots.wish import BotReason
from sync.states import BotStatus

AT = "2027-03-01T09:00:00+00:00"
REQUEST = {
    "provider": "recall",
    "wanted": True,
    "bot_id": "bot1",
    "status": "bot_scheduled",
    "provider_state": "ready",
    "join_at": AT,
    "due_at": None,
    "attempts": 0,
    "last_error_code": None,
    "is_dead": False,
}


def explained(request: dict[str, Any] | None = None, reachable: tuple[str, ...] = ("recall",), **facts: Any) -> Any:
    """Code and text of each step."""
    given = {
        "wanted": True,
        "reason": "join_rule",
        "decided_at": AT,
        "is_decided": True,
        "shared_with": 0,
        "request": REQUEST | request if request is not None else None,
        "provider_paused_until": None,
    }
    return {step.code: step.text for step in explain_bot(given | facts, reachable)}


def test_without_bots_nothing_is_said_of_them() -> None:
    assert explain_bot(None, ()) == []


def test_what_is_not_decided_yet_says_so() -> None:
    assert list(explained(is_decided=False)) == ["bot_undecided"]


@pytest.mark.parametrize("reason", BotReason)
def test_every_reason_has_words(reason: BotReason) -> None:
    is_wanted = reason in {BotReason.JOIN_RULE, BotReason.OVERRIDE_ON}
    (text,) = explained(reason=reason, wanted=is_wanted).values()

    assert text.startswith("A bot is wanted" if is_wanted else "No bot is wanted")


@pytest.mark.parametrize("status", BotStatus)
def test_every_status_has_words(status: BotStatus) -> None:
    steps = explained({"status": status})

    assert list(steps) == ["bot_join_rule", f"bot_is_{status}"]
    assert "{" not in "".join(steps.values())


@pytest.mark.parametrize(
    ("request_facts", "facts", "code", "words"),
    [
        ({"is_dead": True, "last_error_code": "refused_400"}, {}, "bot_refused", "recall refuses it for good"),
        ({"is_dead": True, "last_error_code": "url_not_public"}, {}, "bot_refused", "not one of the public Internet"),
        ({"attempts": 1, "last_error_code": "http_503"}, {}, "bot_retried", "failed once (http_503)"),
        ({"attempts": 3, "last_error_code": "throttled"}, {}, "bot_retried", "failed 3 times (throttled)"),
        ({}, {"shared_with": 2}, "bot_shared", "with 2 more meetings"),
        ({}, {"provider_paused_until": AT}, "bot_provider_paused", "left alone"),
        ({}, {"reachable": ()}, "bot_provider_unreachable", "its keys are not set"),
        ({"wanted": False}, {"wanted": False}, "bot_is_bot_scheduled", "being removed"),
        ({}, {"wanted": False}, "bot_is_bot_scheduled", "Another meeting"),
    ],
)
def test_what_happened_on_the_way_is_told(
    request_facts: dict[str, Any], facts: dict[str, Any], code: str, words: str
) -> None:
    assert words in explained(request_facts, **facts)[code]
