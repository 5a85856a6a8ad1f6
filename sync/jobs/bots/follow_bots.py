"""What bots owe to the last commits: wishes are decided, providers asked, meetings show it. A duty of every process.

Each step takes what is due from the store, so that any number of processes do it side by side, and what one leaves is
done by the next. Called by the driver after commits and every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sync.jobs.bots.decide_wishes import decide_wishes, policy_of
from sync.jobs.bots.deliver_bots import deliver_bots
from sync.jobs.services import Services

# New meetings ahead of a service that has just been given a provider.
DECLARED_AT_ONCE = 1000
SHOWN_AT_ONCE = 500
# A process' calls to the provider side by side.
CALLS_AT_ONCE = 8


def follow_bots(services: Services, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Until nothing is due, or the process is to stop; how many steps were done at providers. Raises StoreFailure."""
    chosen = services.settings.bot_provider
    policy = policy_of(services).text
    marked = services.store.wishes.declare(chosen, policy, limit=DECLARED_AT_ONCE)
    steps = 0
    if chosen is None:
        return steps
    with ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="bots") as pool:
        is_busy = True
        while is_busy and not should_stop():
            decided = decide_wishes(services)
            # One that is chosen no more still has bots to be removed.
            delivered = sum(deliver_bots(services, provider, pool) for provider in services.bot_providers.values())
            shown = services.store.wishes.show(limit=SHOWN_AT_ONCE)
            steps += delivered
            is_busy = bool(marked or decided or delivered or shown >= SHOWN_AT_ONCE)
            marked = services.store.wishes.declare(chosen, policy, limit=DECLARED_AT_ONCE) if marked else 0
    return steps
