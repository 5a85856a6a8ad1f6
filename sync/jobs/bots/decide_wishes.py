"""Decides which meetings want a bot, from what stands in the database. Called by `follow_bots`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sync.core.bots.wish import BotPolicy, decide_wish, join_time, scope_of
from sync.jobs.services import Services
from sync.wish_model import WishClaim

CLAIMED_AT_ONCE = 200
# Longer than deciding takes; a process that dies has its wishes decided by another one then.
LEASE_SECONDS = 20


def decide_wishes(services: Services) -> int:
    """Decides up to CLAIMED_AT_ONCE wishes that are due; how many. Raises StoreFailure."""
    claims = services.store.wishes.claim(limit=CLAIMED_AT_ONCE, lease_seconds=LEASE_SECONDS)
    if claims:
        now = services.clock()
        services.store.wishes.record([_decision(services, claim, now) for claim in claims])
    return len(claims)


def policy_of(services: Services) -> BotPolicy:
    settings = services.settings
    return BotPolicy(
        join_rule=settings.bot_join_rule,
        bot_name=settings.bot_name,
        lead=dt.timedelta(seconds=settings.bot_lead_seconds),
        access_grace=dt.timedelta(hours=settings.bot_access_grace_hours),
        sharing=settings.bot_sharing,
    )


def _decision(services: Services, claim: WishClaim, now: dt.datetime) -> dict[str, Any]:
    """As `record_bot_wishes` takes it."""
    policy = policy_of(services)
    wish = decide_wish(claim.meeting, claim.preferences, policy, now)
    services.log.debug("bot_wish", meeting_id=claim.meeting.id, wanted=wish.wanted, reason=wish.reason)
    return {
        "meeting_id": claim.meeting.id,
        "revision": claim.revision,
        "wanted": wish.wanted,
        "reason": wish.reason,
        "look_again_at": wish.look_again_at and wish.look_again_at.isoformat(),
        **(_content(services, claim, policy) if wish.wanted else {}),
    }


def _content(services: Services, claim: WishClaim, policy: BotPolicy) -> dict[str, Any]:
    meeting, preferences = claim.meeting, claim.preferences
    return {
        "provider": services.settings.bot_provider,
        "scope": scope_of(meeting, policy.sharing),
        "room_key": meeting.room_key,
        "meeting_start": meeting.start.isoformat(),
        "meeting_end": meeting.end.isoformat(),
        "meeting_url": meeting.meeting_url,
        "join_at": join_time(meeting, policy).isoformat(),
        "bot_name": preferences.bot_name or policy.bot_name,
        "chat_message": preferences.chat_message,
    }
