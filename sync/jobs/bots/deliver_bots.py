"""Brings what a provider has nearer to what is wanted of it, one step per claim, and records what came of it.

At least once, with one effect: a request's key and attempt key are the same for every repetition, and a bot whose
creation was not heard of is looked up before it is created again. Never raises for a provider. Called by `follow_bots`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sync.bot_model import BotRef, Changed, MakeNew, NotNow, ProviderBot
from sync.clients.bots.provider import BotProvider
from sync.core.bots.delivery import Step, next_step
from sync.core.bots.explain import URL_NOT_PUBLIC
from sync.core.bots.provider_states import status_of
from sync.core.polling.backoff import backoff_seconds
from sync.errors import (
    BotAccountRefused,
    BotProviderBusy,
    BotProviderDown,
    BotProviderFailure,
    BotProviderKeyRejected,
    BotProviderRefused,
    NewKeyNeeded,
    StoreFailure,
)
from sync.jobs.services import Services
from sync.states import BotStatus
from sync.telemetry.metrics import BOT_DELIVERIES
from sync.wish_model import BotRequest

CLAIMED_AT_ONCE = 16
# Longer than any call to a provider takes with its deadline.
LEASE_SECONDS = 90
FIRST_RETRY_SECONDS, MOST_RETRY_SECONDS = 5.0, 300.0
# A bot that cannot be removed in its state is asked again without being told of its next one.
NOT_NOW_SECONDS = 60.0
# Throttled without a time to wait.
THROTTLED_SECONDS = 30.0
# Only the operator can mend the account or its key; nothing is given up for it.
OPERATOR_SECONDS = 600.0
# A removal that is refused again and again: the bot will come by itself to its end.
REMOVALS_TRIED = 20

Result = dict[str, Any]


def deliver_bots(services: Services, provider: BotProvider, pool: ThreadPoolExecutor) -> int:
    """One step for each request that is due, as far as the provider's rates allow; how many. Raises StoreFailure."""
    requests = services.store.bots.claim(
        provider.name,
        limit=CLAIMED_AT_ONCE,
        lease_seconds=LEASE_SECONDS,
        creates_per_minute=provider.limits.creates_per_minute,
        changes_per_minute=provider.limits.changes_per_minute,
    )
    list(pool.map(lambda request: _deliver(services, provider, request), requests))
    return len(requests)


def _deliver(services: Services, provider: BotProvider, request: BotRequest) -> None:
    now = services.clock()
    step = next_step(request, now)
    try:
        result = _STEPS[step](services, provider, request, now)
    except BotProviderFailure as failure:
        result = _failed(services, provider, request, step, failure)
    except Exception as bug:
        services.log.exception("bot_delivery_bug", request_id=request.id, step=step, error=type(bug).__name__)
        result = {"outcome": "retry", "error_code": "bug", "retry_seconds": MOST_RETRY_SECONDS, "maybe_created": True}
    BOT_DELIVERIES.labels(provider.name, step, result["outcome"]).inc()
    services.log.info(
        "bot_delivery", request_id=request.id, step=step, outcome=result["outcome"], error_code=result.get("error_code")
    )
    try:
        services.store.bots.record(request, result)
    except StoreFailure as unreachable:
        # Its lease lapses; whoever has it next looks first whether the bot is there.
        services.log.warning("bot_delivery_not_recorded", request_id=request.id, error_code=unreachable.code)


# The steps, each what `record_bot_delivery` takes


def _settled(_services: Services, _provider: BotProvider, request: BotRequest, _now: dt.datetime) -> Result:
    return _told(request) | {"calls": 0}


def _void(_services: Services, _provider: BotProvider, _request: BotRequest, _now: dt.datetime) -> Result:
    return {"outcome": "removed", "calls": 0}


def _find(services: Services, provider: BotProvider, request: BotRequest, now: dt.datetime) -> Result:
    found = provider.find(request.key)
    alive = [bot for bot in found if bot.is_alive]
    if not found and not provider.limits.can_find and request.wanted:
        # Nobody can be asked; a repetition under the same attempt key has no second effect. If it was the first attempt
        # that had one, the bot is as it was wanted then.
        made = _create(services, provider, request, now)
        return made | {"outcome": "found"} if made["outcome"] == "told" else made
    if not found and not provider.limits.can_find:
        provider.remove(BotRef(request.key, request.key, None), request.attempt_key)
    if not found:
        return {"outcome": "retry", "maybe_created": False, "retry_seconds": 0}
    for surplus in alive[1:]:
        services.log.warning("bot_doubled", request_id=request.id, bot_id=surplus.id)
    bot = (alive or list(found))[0]
    # It may be of an older wish under the same key: it is changed next, if anything is to be changed.
    return {"outcome": "found", **_state_of(provider, bot)}


def _look(_services: Services, provider: BotProvider, request: BotRequest, now: dt.datetime) -> Result:
    bot = provider.get(request.bot_id or "")
    if bot is not None:
        return {"outcome": "found", **_state_of(provider, bot)}
    if request.status in (BotStatus.PENDING, BotStatus.BOT_SCHEDULED) and request.meeting_end > now:
        return {"outcome": "make_new", "is_gone": True, "error_code": "bot_gone"}
    return {"outcome": "told", "status": BotStatus.FAILED, "error_code": "bot_gone", **_as_told(request)}


def _see(_services: Services, provider: BotProvider, request: BotRequest, _now: dt.datetime) -> Result:
    """In the room of a meeting that has moved and is now: if it is still there, that is as wanted."""
    if not provider.limits.can_find:
        return _told(request)
    bot = provider.get(request.bot_id or "")
    if bot is None:
        return {"outcome": "make_new", "is_gone": True}
    # One that has ended is told to have; then another is made for the new time.
    return (_told(request) if bot.is_alive else {"outcome": "found"}) | _state_of(provider, bot)


def _renew(_services: Services, _provider: BotProvider, _request: BotRequest, _now: dt.datetime) -> Result:
    return {"outcome": "make_new", "is_gone": True, "calls": 0}


def _create(services: Services, provider: BotProvider, request: BotRequest, now: dt.datetime) -> Result:
    if services.hosts.is_inside(request.meeting_url):
        return {"outcome": "dead", "error_code": URL_NOT_PUBLIC, "maybe_created": False, "calls": 0}
    attempt_key = request.attempt_key if provider.limits.can_find else request.lasting_attempt_key
    bot = provider.create(request.wanted_bot, attempt_key, now)
    if not bot.is_alive:
        # The key has been used up by a bot whose time is over.
        return {"outcome": "make_new", "is_gone": True}
    return _told(request) | _state_of(provider, bot)


def _change(services: Services, provider: BotProvider, request: BotRequest, now: dt.datetime) -> Result:
    if request.bot is None or services.hosts.is_inside(request.meeting_url):
        return {"outcome": "dead", "error_code": URL_NOT_PUBLIC, "calls": 0}
    match provider.change(request.bot, request.wanted_bot, request.attempt_key, now):
        case Changed(bot):
            return _told(request) | _state_of(provider, bot)
        case MakeNew(reason):
            if request.meeting_end <= now or _is_mere_content(request):
                return _told(request)
            services.log.info("bot_replaced", request_id=request.id, reason=reason)
            return {"outcome": "make_new", "is_gone": reason == "gone"}


def _is_mere_content(request: BotRequest) -> bool:
    """It goes to the right room at the right time: what it is called there is worth no second bot."""
    return (request.told_url, request.told_join_at) == (request.meeting_url, request.join_at)


def _remove(_services: Services, provider: BotProvider, request: BotRequest, _now: dt.datetime) -> Result:
    if request.bot is None:
        return {"outcome": "removed", "calls": 0}
    match provider.remove(request.bot, request.attempt_key):
        case NotNow(reason):
            return {"outcome": "not_now", "provider_state": reason, "retry_seconds": NOT_NOW_SECONDS}
        case _:
            return {"outcome": "removed"}


_STEPS: dict[Step, Callable[[Services, BotProvider, BotRequest, dt.datetime], Result]] = {
    Step.SETTLED: _settled,
    Step.VOID: _void,
    Step.FIND: _find,
    Step.LOOK: _look,
    Step.SEE: _see,
    Step.RENEW: _renew,
    Step.CREATE: _create,
    Step.CHANGE: _change,
    Step.REMOVE: _remove,
}


def _as_told(request: BotRequest) -> Result:
    return {"revision": request.revision, "join_at": request.join_at.isoformat(), "url": request.meeting_url}


def _told(request: BotRequest) -> Result:
    return {"outcome": "told", **_as_told(request)}


def _state_of(provider: BotProvider, bot: ProviderBot) -> Result:
    return {"bot_id": bot.id, "provider_state": bot.state, "status": status_of(provider.name, bot.state)}


def _failed(
    services: Services, provider: BotProvider, request: BotRequest, step: Step, failure: BotProviderFailure
) -> Result:
    """How a failed step is gone on with. Nothing that passes, and nothing that is the operator's, gives a bot up."""
    wait = backoff_seconds(
        request.attempts, services.jitter(), first_seconds=FIRST_RETRY_SECONDS, most_seconds=MOST_RETRY_SECONDS
    )
    result: Result = {"outcome": "retry", "error_code": failure.code, "retry_seconds": wait}
    # Nobody can be asked whether an earlier attempt made it: only the same key keeps this one from making another.
    another_key: Result = {"new_key": provider.limits.can_find or not request.maybe_created}
    match failure:
        case BotProviderDown():
            # It was not asked: no attempt, and nothing else of the request changes.
            return result | {"retry_seconds": failure.seconds, "pause_seconds": failure.seconds, "is_outage": True}
        case NewKeyNeeded():
            waited = failure.retry_after_seconds or THROTTLED_SECONDS
            return result | {"new_key": True, "maybe_created": False, "retry_seconds": waited}
        case BotProviderBusy():
            if failure.retry_after_seconds is not None:
                result |= {"retry_seconds": max(wait, failure.retry_after_seconds)}
            if failure.code == "throttled":
                result |= {"pause_seconds": failure.retry_after_seconds or THROTTLED_SECONDS}
            if failure.maybe_done:
                return result | {
                    "maybe_created": step is Step.CREATE or request.maybe_created,
                    "maybe_changed": step is Step.CHANGE,
                }
            return result | another_key
        case BotAccountRefused() | BotProviderKeyRejected():
            services.operator_faults.note(failure.code)
            paused = {"retry_seconds": OPERATOR_SECONDS, "pause_seconds": OPERATOR_SECONDS / 10}
            return result | another_key | paused
        case BotProviderRefused() if step is Step.REMOVE and request.attempts < REMOVALS_TRIED:
            return result | another_key
        case _:
            services.log.error("bot_refused", request_id=request.id, step=step, error_code=failure.code)
            return result | another_key | {"outcome": "dead"}
