"""Has the price of a poll follow what polling spends, and counts the calendars that tell of new ones. A duty, for all
processes at once; rules live in `core/polling`."""

from __future__ import annotations

import datetime as dt
import uuid

from sync.core.polling.pooling import COUNTS_FROM_CHANGES, COUNTS_FROM_DAYS, POOR_RECALL
from sync.core.polling.price import Forecast, Price, allowance, expected_per_day, follow_budget, forecast, googles_day
from sync.jobs.services import Services
from sync.model import PollingState

# A sample is as good as all, and costs the same at a million calendars.
COUNTED_AT_ONCE = 20_000
COUNT_EVERY = dt.timedelta(hours=1)
# What was counted an hour ago of channels and hours is forgotten over a quarter of a year.
FADING = 1.0 - 1.0 / (90 * 24)
FIRST_STEP_SECONDS = 300.0


def follow_polling_budget(services: Services) -> Forecast:
    """One step of the price; the forecast of Google's day and month. Raises StoreFailure."""
    services.polling.report()
    now = services.clock()
    day = googles_day(now)
    state = services.store.polling.read(day.date)
    plan, budget = state.plan, services.settings.poll_budget_per_day
    price = Price(plan["price_seconds"], plan["calls_per_day"]) if plan.get("price_seconds") else Price()
    counted = plan.get("polls_counted") or 0.0
    priced_at = _instant(plan.get("priced_at"))
    seconds = max((now - priced_at).total_seconds(), 1.0) if priced_at else FIRST_STEP_SECONDS
    allowed = allowance(budget, state.polls_today, day.elapsed, services.quota.rate_per_minute)
    followed = follow_budget(price, counted - (plan.get("polls_priced") or 0.0), seconds, allowed)
    ahead = _forecast(services, state)
    services.store.polling.price(
        followed.seconds,
        followed.calls_per_day,
        counted,
        today=ahead.today,
        month=ahead.month,
        exhausted_in_days=ahead.exhausted_in_days,
    )
    counted_at = _instant(plan.get("counted_at"))
    if counted_at is None or now - counted_at > COUNT_EVERY:
        _count(services)
    _tell(services, state, followed, ahead)
    return ahead


def _forecast(services: Services, state: PollingState) -> Forecast:
    day = googles_day(services.clock())
    per_day = expected_per_day(state.requests_today, state.requests_yesterday, day)
    free = services.settings.google_requests_per_day
    return forecast(state.requests_today, state.requests_this_month, per_day, day, free)


def _count(services: Services) -> None:
    start = str(uuid.UUID(int=int(services.jitter() * 2**128)))
    for first in (start, str(uuid.UUID(int=0))):
        counted = services.store.polling.count_calendars(
            first,
            limit=COUNTED_AT_ONCE,
            least_days=COUNTS_FROM_DAYS,
            least_changes=COUNTS_FROM_CHANGES,
            poor_recall=POOR_RECALL,
            fading=FADING,
        )
        if counted >= COUNTED_AT_ONCE:
            break


def _tell(services: Services, state: PollingState, price: Price, ahead: Forecast) -> None:
    """Says so when what is free today will not last."""
    emit = services.log.warning if ahead.exhausted_in_days is not None else services.log.info
    emit(
        "polling_budget",
        price_seconds=round(price.seconds),
        polls_today=round(state.polls_today),
        requests_today=round(state.requests_today),
        forecast_today=round(ahead.today),
        forecast_month=round(ahead.month),
        exhausted_in_days=ahead.exhausted_in_days,
    )


def _instant(value: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(value).astimezone(dt.UTC) if value else None
