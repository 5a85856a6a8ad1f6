"""Drops what nobody looks at any more: old sync logs, channels that are over, what unfinished listings left, and
old change events and alerts, what operators did long ago. Logs of polls that found nothing are folded long before.

Called by the duties and by the renewal cron. In steps of bounded cost; what a run does not reach the next one does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from sync.jobs.services import Services

# Rows a step looks at: a fraction of a second in Postgres, and no lock that anybody waits for.
ROWS_PER_STEP = 1000
# Who did what is asked for at a yearly review, and a little later.
AUDIT_DAYS = 400
# Idle logs are most of all: steps of half a second.
IDLE_ROWS_PER_STEP = 5000


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows dropped. `idle_logs`: those that became part of another."""

    logs: int
    channels: int
    items: int
    events: int
    bots: int = 0
    actions: int = 0
    alerts: int = 0
    idle_logs: int = 0


def drop_old(services: Services, *, budget_seconds: float, should_stop: Callable[[], bool] = lambda: False) -> Dropped:
    """Drops all that is older than LOG_RETENTION_DAYS or EVENT_RETENTION_DAYS, within the budget. Raises the store's
    failures."""
    deadline = time.monotonic() + budget_seconds
    store, keep_days = services.store.retention, services.settings.log_retention_days

    def is_over() -> bool:
        return should_stop() or time.monotonic() >= deadline

    def steps(step: Callable[[], int]) -> int:
        dropped, last = 0, ROWS_PER_STEP
        while last == ROWS_PER_STEP and not is_over():
            last = step()
            dropped += last
        return dropped

    dropped = Dropped(
        logs=_drop_logs(services, keep_days, is_over),
        channels=steps(lambda: store.drop_channels(keep_days, ROWS_PER_STEP)),
        items=steps(lambda: store.drop_left_items(ROWS_PER_STEP)),
        events=_drop_events(services, is_over),
        alerts=steps(lambda: services.store.alerts.drop_old(keep_days, ROWS_PER_STEP)),
        bots=steps(lambda: services.store.bots.drop_old(keep_days, ROWS_PER_STEP)),
        actions=steps(lambda: services.store.operators.drop_old(AUDIT_DAYS, ROWS_PER_STEP)),
        idle_logs=_fold_idle(services, is_over),
    )
    if any(asdict(dropped).values()):
        services.log.info("old_rows_dropped", **asdict(dropped))
    return dropped


def _drop_logs(services: Services, keep_days: int, is_over: Callable[[], bool]) -> int:
    """Goes on behind the logs that stay: each calendar's newest."""
    dropped, after = 0, None
    while not is_over():
        step = services.store.retention.drop_logs(keep_days, ROWS_PER_STEP, after)
        dropped, after = dropped + step.dropped, step.after
        if step.seen < ROWS_PER_STEP:
            break
    return dropped


def _fold_idle(services: Services, is_over: Callable[[], bool]) -> int:
    dropped = 0
    while not is_over():
        seen, gone = services.store.overview.fold_idle(services.settings.idle_log_retention_days, IDLE_ROWS_PER_STEP)
        dropped += gone
        if seen < IDLE_ROWS_PER_STEP:
            break
    return dropped


def _drop_events(services: Services, is_over: Callable[[], bool]) -> int:
    """Goes on behind the events that somebody is still to be told of."""
    dropped, after = 0, 0
    while not is_over():
        step = services.store.feed.drop(services.settings.event_retention_days, ROWS_PER_STEP, after)
        dropped, after = dropped + step.dropped, step.after
        if step.seen < ROWS_PER_STEP:
            break
    return dropped
