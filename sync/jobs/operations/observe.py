"""Gathers what the rules of alerts look at: what the database tells, and what settings make of it. Called by
`watch_over` and by the doctor."""

from __future__ import annotations

from dataclasses import replace

from sync.alert_model import Observations
from sync.core.polling.price import expected_per_day, forecast, googles_day
from sync.jobs.services import Services

# Of the database's migrations the newest that this code needs.
NEWEST_MIGRATION = "20261122091100"
# Renewals begin a lead before a channel lapses; with a third of it left they have failed for long.
LAPSING_SHARE = 1 / 3


def observe(services: Services) -> Observations:
    """Raises StoreFailure."""
    settings, day = services.settings, googles_day(services.clock())
    seen = services.store.alerts.observe(
        day.date,
        lapsing_seconds=lapsing_seconds(services),
        with_mail=services.mailer is not None,
        newest_migration=NEWEST_MIGRATION,
    )
    free, spent = settings.google_requests_per_day, seen.requests_today
    ahead = forecast(spent, spent, expected_per_day(spent, seen.requests_yesterday, day), day, free)
    return replace(
        seen,
        requests_forecast=ahead.today,
        requests_per_day=free,
        polls_per_day=settings.poll_budget_per_day,
        day_elapsed=day.elapsed,
    )


def lapsing_seconds(services: Services) -> float:
    """A channel with less left should have been renewed."""
    return services.settings.renew_lead_hours * 3600 * LAPSING_SHARE
