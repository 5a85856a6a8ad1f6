"""Compares a provider's bots with ours, at a low rate, and repairs what was lost on the way. A duty.

Messages are lost, answers too, and people delete bots at the provider's own page. A listing tells: a bot whose
creation nobody heard of is taken, one too many is removed, one that is otherwise than wanted is told again, one that is
missing is looked up and made anew. Called by the driver's duties.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sync.bot_model import ProviderBot
from sync.clients.bots.provider import BotProvider
from sync.core.bots.provider_states import status_of
from sync.errors import BotProviderFailure
from sync.jobs.services import Services

# A tenth of what a provider bears, so that reading never stands in the way of making bots.
SHARE_OF_READS = 0.1
# An absurd number of pages is a listing that does not end.
MOST_PAGES = 2000


def reconcile_bots(services: Services, should_stop: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """{taken, doubled, differing, missing} over all providers. Raises StoreFailure; a provider that fails is asked
    again next time."""
    totals = {"taken": 0, "doubled": 0, "differing": 0, "missing": 0}
    if services.settings.bot_provider is None:
        return totals
    for provider in services.bot_providers.values():
        if provider.limits.can_find:
            for name, count in _reconcile(services, provider, should_stop).items():
                totals[name] += count
    return totals


def _reconcile(services: Services, provider: BotProvider, should_stop: Callable[[], bool]) -> dict[str, int]:
    counts = {"taken": 0, "doubled": 0, "differing": 0, "missing": 0}
    began = services.store.bots.begin_comparison()
    try:
        is_whole = _compare_all(services, provider, counts, should_stop)
    except BotProviderFailure as failure:
        services.log.warning("bots_not_listed", provider=provider.name, error_code=failure.code)
        return counts
    if is_whole:
        counts["missing"] = services.store.bots.end_comparison(provider.name, began)
    if any(counts.values()):
        services.log.warning("bots_repaired", provider=provider.name, **counts)
    return counts


def _compare_all(
    services: Services, provider: BotProvider, counts: dict[str, int], should_stop: Callable[[], bool]
) -> bool:
    """Whether the listing came to its end."""
    pause = 60.0 / (provider.limits.reads_per_minute * SHARE_OF_READS)
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = provider.list_bots(cursor, join_after=None, join_before=None)
        ours = [_as_compared(provider, bot) for bot in page.bots if bot.key]
        for name, count in services.store.bots.compare(provider.name, ours).items() if ours else ():
            counts[name] += count
        cursor = page.cursor
        if cursor is None:
            return True
        if _is_told_to_stop(should_stop, pause):
            return False
    services.log.warning("bots_listing_endless", provider=provider.name, pages=MOST_PAGES)
    return False


def _is_told_to_stop(should_stop: Callable[[], bool], pause_seconds: float) -> bool:
    until = time.monotonic() + pause_seconds
    while not should_stop() and time.monotonic() < until:
        time.sleep(min(0.5, max(0.0, until - time.monotonic())))
    return should_stop()


def _as_compared(provider: BotProvider, bot: ProviderBot) -> dict[str, Any]:
    """As `compare_bots` takes it."""
    return {
        "id": bot.id,
        "key": bot.key,
        "status": status_of(provider.name, bot.state),
        "provider_state": bot.state,
        "is_alive": bot.is_alive,
        "meeting_url": bot.meeting_url,
        "join_at": bot.join_at and bot.join_at.isoformat(),
    }
