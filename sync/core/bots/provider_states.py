"""What a provider's word for a bot's state means to us, and how `bot_status` moves. Called by jobs.

The sets are open: a word that is not here changes nothing, and whoever met it logs it.

Sources: Attendee's bot states, Recall.ai's status codes. `webhook` speaks our own words.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.bot_model import BotProviderName
from sync.states import BotStatus

_ATTENDEE = {
    **dict.fromkeys(("ready", "scheduled", "staged", "joining", "waiting_room"), BotStatus.BOT_SCHEDULED),
    **dict.fromkeys(
        (
            "joined_not_recording",
            "joined_recording",
            "joined_recording_paused",
            "joined_recording_permission_denied",
            "joining_breakout_room",
            "leaving_breakout_room",
        ),
        BotStatus.BOT_JOINED,
    ),
    **dict.fromkeys(("leaving", "post_processing"), BotStatus.TRANSCRIBING),
    "ended": BotStatus.COMPLETED,
    "fatal_error": BotStatus.FAILED,
}
# "scheduled" is our client's word for a bot of which nothing is told yet; "ready" is Recall's for the same.
_RECALL = {
    **dict.fromkeys(("scheduled", "ready", "joining_call", "in_waiting_room"), BotStatus.BOT_SCHEDULED),
    "call_ended": BotStatus.TRANSCRIBING,
    "done": BotStatus.COMPLETED,
    "fatal": BotStatus.FAILED,
}
# That it is not wanted any more is ours to say alone, and so is that it is pending.
_WEBHOOK = {str(status): status for status in BotStatus if status not in {BotStatus.PENDING, BotStatus.CANCELLED}}

_STATUSES: Mapping[BotProviderName, Mapping[str, BotStatus]] = {
    BotProviderName.ATTENDEE: _ATTENDEE,
    BotProviderName.RECALL: _RECALL,
    BotProviderName.WEBHOOK: _WEBHOOK,
}
# Families of words that grow: any new one of them says that the bot is in the call.
_JOINED_PREFIXES: Mapping[BotProviderName, tuple[str, ...]] = {
    BotProviderName.ATTENDEE: ("joined_",),
    BotProviderName.RECALL: ("in_call_", "recording_permission_"),
    BotProviderName.WEBHOOK: (),
}
_ORDER = {
    BotStatus.PENDING: 0,
    BotStatus.BOT_SCHEDULED: 1,
    BotStatus.BOT_JOINED: 2,
    BotStatus.TRANSCRIBING: 3,
    BotStatus.COMPLETED: 4,
    BotStatus.FAILED: 4,
    BotStatus.CANCELLED: 4,
}


def status_of(provider: BotProviderName, state: str) -> BotStatus | None:
    """Our status for a provider's state; None for a word we do not know, which changes nothing."""
    known = _STATUSES[provider].get(state)
    if known is None and state.startswith(_JOINED_PREFIXES[provider]):
        return BotStatus.BOT_JOINED
    return known


def advance(current: BotStatus, told: BotStatus | None) -> BotStatus:
    """Where a bot's status stands after a message: never further back, whatever order the messages come in.

    What has ended stays as it ended. Another bot for the same meeting (a new generation) begins at pending by being
    another bot, not by a message.
    """
    return told if told is not None and _ORDER[told] > _ORDER[current] else current
