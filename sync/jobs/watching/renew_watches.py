"""Watches: opened before they are needed, renewed with overlap, stopped with their own resource id.

Store the new channel, open it, make it current, then stop the old ones. A failed watch leaves everything as it was,
polling included. Called by the cron endpoint, the duties, connecting, and the webhook when a channel speaks that should
be dead.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sync.clients.breakers import GOOGLE_API
from sync.core.accounts.channel_token import channel_token
from sync.core.polling.failure_policy import react_to_refused_grant, react_to_watch_failure
from sync.core.polling.purse import Lane
from sync.core.polling.renewal import SHORTEST_LIFE_SECONDS, renew_lead_seconds
from sync.errors import (
    ChannelIdTaken,
    ChannelUnknown,
    Misconfigured,
    ReconnectNeeded,
    StoreFailure,
    SyncError,
    UpstreamDown,
)
from sync.jobs.losing_access import record_refusal
from sync.jobs.services import Services
from sync.jobs.watching.adopt_watches import ABANDONED_SECONDS, adopt_watches
from sync.jobs.watching.move_watches import leave_sick_regions, renew_moved
from sync.model import DeadChannel, OpenChannel, WatchClaim
from sync.telemetry.metrics import CHANNELS
from sync.telemetry.origin import follower

CLAIMED_AT_ONCE = 50
WATCH_LEASE_SECONDS = 120
# Each may have thousands of meetings ahead that are written in one statement.
RETIRED_AT_ONCE = 20
# Stopping is tidiness (Google lets a channel lapse by itself within a week), so a failed stop is in no hurry.
STOP_RETRY_SECONDS = 6 * 3600.0
# Its user let the calendar go while Google opened its channel, or it is another one of theirs under a second name.
CALENDAR_LEFT = "calendar_left"


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    """`channel` if the watch is open; else why not. `stopped`: earlier channels that were stopped then."""

    claim: WatchClaim
    channel: OpenChannel | None
    error_code: str | None = None
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class Renewal:
    """`stopped`: old channels; `remaining`: watches the budget did not reach, counted to 1000."""

    outcomes: tuple[WatchOutcome, ...]
    stopped: int
    remaining: int


def renew_watches(
    services: Services, *, budget_seconds: float, should_stop: Callable[[], bool] = lambda: False
) -> Renewal:
    """Renews what lapses within the lead, opens what has no watch, stops what should be dead; within the budget."""
    deadline = time.monotonic() + budget_seconds

    def may_go_on() -> bool:
        # What the quota has nothing for is left untouched, and everything while Google answers nobody.
        is_open = services.breakers.room(GOOGLE_API, 1) > 0 and not services.quota.waits(Lane.FIRST)
        return is_open and not should_stop() and time.monotonic() < deadline

    outcomes: list[WatchOutcome] = []
    stopped = 0
    _retire_lost(services, may_go_on)
    renew_moved(services, may_go_on)
    leave_sick_regions(services, may_go_on)
    adopt_watches(services)
    with ThreadPoolExecutor(services.settings.sync_threads, thread_name_prefix="watch", initializer=follower()) as pool:
        while may_go_on():
            claims = services.store.watches.claim_expiring(limit=CLAIMED_AT_ONCE, lease_seconds=WATCH_LEASE_SECONDS)
            opened = [
                outcome
                for outcome in pool.map(lambda claim: open_watch(services, claim) if may_go_on() else None, claims)
                if outcome
            ]
            outcomes.extend(opened)
            if len(opened) < len(claims):
                done = {outcome.claim.calendar_id for outcome in opened}
                services.store.watches.release([claim for claim in claims if claim.calendar_id not in done])
            if len(claims) < CLAIMED_AT_ONCE:
                break
        while may_go_on():
            dead = _claim_dead(services, None)
            stopped += sum(pool.map(lambda channel: stop_channel(services, channel) if may_go_on() else False, dead))
            if len(dead) < CLAIMED_AT_ONCE:
                break
    remaining = services.store.watches.due()
    return Renewal(tuple(outcomes), stopped + sum(outcome.stopped for outcome in outcomes), remaining)


def _retire_lost(services: Services, may_go_on: Callable[[], bool]) -> None:
    """Calendars that could not be read for days are given up, and so are their watches."""
    retired = RETIRED_AT_ONCE
    while retired == RETIRED_AT_ONCE and may_go_on():
        retired = services.store.watches.retire_lost(
            after_seconds=services.settings.calendar_lost_days * 86400.0, limit=RETIRED_AT_ONCE
        )
        if retired:
            services.log.warning("calendars_given_up", calendars=retired)


def open_watches(services: Services, calendar_ids: Sequence[str]) -> list[WatchOutcome]:
    """Opens the watches of calendars that were just connected, in this order."""
    claims = services.store.watches.claim_expiring(
        limit=len(calendar_ids),
        lease_seconds=WATCH_LEASE_SECONDS,
        calendar_ids=calendar_ids,
    )
    wanted = list(calendar_ids)
    return [
        open_watch(services, claim, Lane.PERSON)
        for claim in sorted(claims, key=lambda claim: wanted.index(claim.calendar_id))
    ]


def open_watch(services: Services, claim: WatchClaim, lane: Lane = Lane.FIRST) -> WatchOutcome:
    """Opens a new channel for a calendar and makes it current; then stops the earlier ones. Never raises for Google."""
    channel_id = str(uuid.uuid4())
    address = services.ingress.address_for(claim.calendar_id)
    try:
        if not services.store.watches.begin_channel(channel_id, claim.calendar_id, address):
            # Nobody would know the channel, nor stop it.
            return WatchOutcome(claim, None, CALENDAR_LEFT)
        channel = services.calendar.watch(
            services.tokens.of(claim.user_id, claim.tokens, lane),
            claim.google_calendar_id,
            channel_id=channel_id,
            token=channel_token(services.settings.channel_token_secrets[0], channel_id),
            address=address,
            now=services.clock(),
        )
        lifetime = (channel.expires_at - services.clock()).total_seconds()
        superseded = services.store.watches.activate_channel(
            channel_id,
            channel.resource_id,
            channel.expires_at,
            lead_seconds=renew_lead_seconds(services.settings.renew_lead_hours * 3600.0, lifetime),
        )
    except StoreFailure as unreachable:
        services.log.warning("watch_not_recorded", calendar_id=claim.calendar_id, error_code=unreachable.code)
        return WatchOutcome(claim, None, unreachable.code)
    except SyncError as failure:
        CHANNELS.labels("failed").inc()
        return _record_failure(services, claim, channel_id, failure)
    if channel_id in superseded:
        return _stop_unwanted(services, claim, channel)
    CHANNELS.labels("renewed" if superseded else "opened").inc()
    services.log.info("watch_opened", calendar_id=claim.calendar_id, channel_id=channel_id)
    return WatchOutcome(claim, channel, stopped=_stop_superseded(services, superseded) if superseded else 0)


def _stop_unwanted(services: Services, claim: WatchClaim, channel: OpenChannel) -> WatchOutcome:
    """The user left while Google opened it. The store may have given their tokens up; this claim's may still serve."""
    try:
        stop_channel(services, DeadChannel(channel.channel_id, channel.resource_id, claim.user_id, claim.tokens))
    except StoreFailure as unreachable:
        services.log.warning("channels_not_stopped", error_code=unreachable.code)
    return WatchOutcome(claim, None, CALENDAR_LEFT)


def _stop_superseded(services: Services, channel_ids: Sequence[str]) -> int:
    try:
        return stop_channels(services, channel_ids)
    except StoreFailure as unreachable:
        # The new channel is open and recorded; the next renewal stops the old ones.
        services.log.warning("channels_not_stopped", error_code=unreachable.code)
        return 0


def stop_channels(services: Services, channel_ids: Sequence[str]) -> int:
    """Stops these channels if they should be dead; adopts one that is all its calendar has. Never raises for Google."""
    adopt_watches(services, channel_ids)
    return sum(stop_channel(services, channel) for channel in _claim_dead(services, channel_ids))


def _claim_dead(services: Services, channel_ids: Sequence[str] | None) -> list[DeadChannel]:
    return services.store.watches.claim_dead_channels(
        limit=CLAIMED_AT_ONCE,
        lease_seconds=WATCH_LEASE_SECONDS,
        abandoned_seconds=ABANDONED_SECONDS,
        channel_ids=channel_ids,
    )


def stop_channel(services: Services, channel: DeadChannel) -> bool:
    """True if it is stopped, or was unknown to Google. Raises StoreFailure."""
    try:
        services.calendar.stop(
            services.tokens.of(channel.user_id, channel.tokens, Lane.POLL),
            channel_id=channel.channel_id,
            resource_id=channel.resource_id,
        )
    except ChannelUnknown:
        pass
    except SyncError as failure:
        services.log.warning("channel_not_stopped", channel_id=channel.channel_id, error_code=failure.code)
        services.store.watches.end_channel(channel.channel_id, retry_seconds=STOP_RETRY_SECONDS)
        return False
    services.store.watches.end_channel(channel.channel_id)
    CHANNELS.labels("stopped").inc()
    return True


def _record_failure(services: Services, claim: WatchClaim, channel_id: str, failure: SyncError) -> WatchOutcome:
    if isinstance(failure, ChannelIdTaken):
        # An id is random and used once: so this request was delivered twice and the first one opened the channel,
        # unheard.
        failure = ChannelIdTaken("answer_lost")
    reaction = react_to_watch_failure(failure, claim.watch_failures, services.jitter())
    if isinstance(failure, Misconfigured):
        services.operator_faults.note(failure.code)
    services.log.warning("watch_failed", calendar_id=claim.calendar_id, error_code=failure.code)
    try:
        if isinstance(failure, ReconnectNeeded):
            standing = record_refusal(services, claim.user_id, claim.tokens, failure)
            reaction = react_to_refused_grant(standing, services.jitter())
        # However soon the user is expected to be back: a calendar's watch is tried once a minute at most.
        retry_seconds = max(reaction.retry_seconds, SHORTEST_LIFE_SECONDS)
        services.store.watches.fail_channel(
            channel_id, failure.code, retry_seconds, is_outage=isinstance(failure, UpstreamDown)
        )
        # It may have spoken before its answer was lost.
        adopt_watches(services, [channel_id])
    except StoreFailure as unreachable:
        services.log.warning("failure_not_recorded", calendar_id=claim.calendar_id, error_code=unreachable.code)
    return WatchOutcome(claim, None, failure.code)
