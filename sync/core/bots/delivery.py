"""What is to be done next for a request of a bot: one step at a provider, or none. Pure. Called by `jobs/bots`."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sync.states import BotStatus
from sync.wish_model import BotRequest

_ENDED = frozenset({BotStatus.COMPLETED, BotStatus.FAILED, BotStatus.CANCELLED})


class Step(StrEnum):
    """What a provider is asked: nothing, since all is as wanted (settled), there is nothing to be had (void), or a bot
    has ended that was for another time (renew); whether a bot is there that nobody heard of (find), still there (look),
    or still in the room that it joined before its meeting moved (see); to create, change or remove it."""

    SETTLED = "settled"
    VOID = "void"
    FIND = "find"
    LOOK = "look"
    SEE = "see"
    RENEW = "renew"
    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"


def next_step(request: BotRequest, now: dt.datetime) -> Step:
    """One step brings the request nearer to what is wanted; it is claimed again for the next one."""
    if request.bot_id is None:
        return _without_bot(request, now)
    if request.status in _ENDED:
        return _ended(request, now)
    if not request.wanted:
        return Step.REMOVE
    if request.in_doubt:
        return Step.LOOK
    if request.told_revision == request.revision:
        return Step.SETTLED
    if not _has_begun(request, now):
        return Step.CHANGE
    return Step.SETTLED if request.told_join_at in {None, request.join_at} else Step.SEE


def _ended(request: BotRequest, now: dt.datetime) -> Step:
    if not request.wanted:
        return Step.VOID
    is_for_another = (request.told_join_at, request.told_url) != (request.join_at, request.meeting_url)
    is_to_come = request.told_revision != request.revision and request.meeting_end > now
    return Step.RENEW if is_for_another and is_to_come else Step.SETTLED


def _without_bot(request: BotRequest, now: dt.datetime) -> Step:
    if request.maybe_created:
        return Step.FIND
    if request.wanted and request.meeting_end > now and request.status not in _ENDED:
        return Step.CREATE
    return Step.VOID


def _has_begun(request: BotRequest, now: dt.datetime) -> bool:
    """It is in this meeting or on its way in, and the meeting is still now: there is nothing to change about that."""
    was_to_join = request.told_join_at or request.join_at
    return request.told_url == request.meeting_url and was_to_join <= now and request.join_at <= now
