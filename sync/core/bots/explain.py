"""Why a bot joins a meeting, or why none does, in plain words: from the wish to what the provider last said. Pure.

Called by `jobs/syncing/explain_meeting`, which gathers the facts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

from sync.core.bots.wish import BotReason
from sync.core.meetings.explain import Step
from sync.states import BotStatus

# What delivery records where it asks nobody.
URL_NOT_PUBLIC = "url_not_public"
_WHY = {
    BotReason.OVERRIDE_ON: "A bot is wanted: its user asked for one in this meeting.",
    BotReason.JOIN_RULE: "A bot is wanted: the join rule covers this meeting.",
    BotReason.OVERRIDE_OFF: "No bot is wanted: its user asked for none in this meeting.",
    BotReason.NO_JOIN_RULE: "No bot is wanted: the join rule is none, and its user did not ask for one here.",
    BotReason.CANCELLED: "No bot is wanted: the meeting is cancelled.",
    BotReason.OVER: "No bot is wanted: the meeting is over.",
    BotReason.NO_LINK: "No bot is wanted: the meeting has no link to join by.",
    BotReason.ACCESS_LOST: "No bot is wanted: the calendar cannot be read any more, so nobody knows whether it holds.",
    BotReason.DECLINED: "No bot is wanted: its user declined.",
    BotReason.NOT_ACCEPTED: "No bot is wanted: its user has not accepted, and the join rule asks for that.",
    BotReason.NOT_ORGANISED: "No bot is wanted: somebody else organises it, and the join rule asks for one's own.",
    BotReason.ALL_DAY: "No bot is wanted: it has dates instead of times, which the preferences leave out.",
    BotReason.PRIVATE: "No bot is wanted: it is private, which the preferences leave out.",
    BotReason.ALONE: "No bot is wanted: nobody else is invited, which the preferences leave out.",
    BotReason.NO_OUTSIDERS: "No bot is wanted: nobody comes from outside, and the preferences ask for that.",
    BotReason.OUTSIDERS: "No bot is wanted: somebody comes from outside, which the preferences leave out.",
}
_HOW_FAR = {
    BotStatus.PENDING: "{provider} has not made it yet.",
    BotStatus.BOT_SCHEDULED: "{provider} has it (bot {bot_id}); it is to join then.",
    BotStatus.BOT_JOINED: "It is in the call.",
    BotStatus.TRANSCRIBING: "The call is over for it; {provider} works on what it recorded.",
    BotStatus.COMPLETED: "It is done.",
    BotStatus.FAILED: "It failed, {provider} says.",
    BotStatus.CANCELLED: "It was removed.",
}


def explain_bot(facts: Mapping[str, Any] | None, reachable: Collection[str]) -> list[Step]:
    """The chain behind `bot_status`; nothing where no bots are made. `reachable`: providers whose keys are there."""
    if facts is None:
        return []
    if not facts["is_decided"]:
        return [Step(None, "bot_undecided", "Whether a bot is wanted is decided within seconds.")]
    reason = BotReason(facts["reason"]) if facts["reason"] in set(BotReason) else BotReason.OVER
    steps = [Step(_instant(facts["decided_at"]), f"bot_{reason}", _WHY[reason])]
    if facts["wanted"] and facts["shared_with"]:
        shared = f"It shares that bot with {facts['shared_with']} more meetings in the same room at the same time."
        steps.append(Step(None, "bot_shared", shared))
    if facts["request"]:
        steps += _what_was_asked(facts["request"], facts["wanted"])
        if facts["request"]["provider"] not in reachable:
            missing = f"Nothing can be asked of {facts['request']['provider']}: its keys are not set any more."
            steps.append(Step(None, "bot_provider_unreachable", missing))
    if facts["provider_paused_until"]:
        paused = "The provider asked to be left alone until then."
        steps.append(Step(_instant(facts["provider_paused_until"]), "bot_provider_paused", paused))
    return steps


def _what_was_asked(request: Mapping[str, Any], wanted: bool) -> list[Step]:
    status, provider = BotStatus(request["status"]), request["provider"]
    steps = _how_asking_fared(request)
    text = _HOW_FAR[status].format(provider=provider, bot_id=request["bot_id"])
    if request["provider_state"]:
        text += f" In its words: {request['provider_state']}."
    if not wanted and request["wanted"]:
        text += " Another meeting in the same room at the same time keeps it."
    elif not wanted and status in (BotStatus.BOT_SCHEDULED, BotStatus.BOT_JOINED):
        text += " It is being removed, as soon as its state allows."
    return [*steps, Step(_instant(request["join_at"]), f"bot_is_{status}", text)]


def _how_asking_fared(request: Mapping[str, Any]) -> list[Step]:
    """What went wrong on the way to the provider, if anything did."""
    provider, code = request["provider"], request["last_error_code"]
    if request["is_dead"] and code == URL_NOT_PUBLIC:
        text = "No bot is sent there: the link's host is not one of the public Internet."
        return [Step(None, "bot_refused", text)]
    if request["is_dead"]:
        return [Step(None, "bot_refused", f"{provider} refuses it for good ({code}), until the meeting changes.")]
    if code:
        often = "once" if request["attempts"] == 1 else f"{request['attempts']} times"
        text = f"Asking {provider} failed {often} ({code}); it is asked again then."
        return [Step(_instant(request["due_at"]), "bot_retried", text)]
    return []


def _instant(value: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(value).astimezone(dt.UTC) if value else None
