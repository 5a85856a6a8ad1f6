"""What a poll costs, so that polling spends what it may. Pure. Called by a duty, every few minutes, for all processes.

One price for all calendars: how much staleness a poll must save to be worth making (`poll_value`). It follows the
budget by itself: dearer while more is spent than allowed, cheaper while less. Only requests that Google answers with
2xx count, and its day ends at midnight in California.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from zoneinfo import ZoneInfo

GOOGLES_ZONE = ZoneInfo("America/Los_Angeles")
# Per billing account; what polling leaves of it is for notified syncs, first listings and watches.
FREE_REQUESTS_PER_DAY = 1_000_000.0
POLLING_SHARE = 0.5
# However much may be spent: a poll that saves less than a minute of staleness is not justified.
LEAST_PRICE_SECONDS = 60.0
MOST_PRICE_SECONDS = 2 * 86400.0
FIRST_PRICE_SECONDS = 300.0
# The rhythm of a day must not move the price, so spending is averaged over one, and the price follows in the same time.
SMOOTHING_SECONDS = 86400.0
# Spending falls with about the root of the price: so it comes to the budget in two days, without swinging.
GAIN, DAMPING = 2.0, 2.0
# In one step, however far spending is off.
MOST_STEP = 1.5


@dataclass(frozen=True, slots=True)
class Price:
    """One row for all. `calls_per_day`: billable polls, averaged; None before any were counted."""

    seconds: float = FIRST_PRICE_SECONDS
    calls_per_day: float | None = None

    @property
    def days(self) -> float:
        """As the plan counts it."""
        return self.seconds / 86400.0


def follow_budget(price: Price, calls: float, seconds: float, allowance: float) -> Price:
    """After `seconds` in which so many billable polls were made. `allowance`: polls a day, as `allowance` tells."""
    if seconds <= 0.0:
        return price
    share = 1.0 - math.exp(-seconds / SMOOTHING_SECONDS)
    allowed = max(allowance, 0.0) + 1.0
    before = allowed if price.calls_per_day is None else price.calls_per_day + 1.0
    spending = before + share * (calls * 86400.0 / seconds + 1.0 - before)
    step = (spending / allowed) ** (GAIN * share) * (spending / before) ** DAMPING
    moved = price.seconds * min(max(step, 1 / MOST_STEP), MOST_STEP)
    return Price(min(max(moved, LEAST_PRICE_SECONDS), MOST_PRICE_SECONDS), spending - 1.0)


def allowance(budget: float, spent_today: float, elapsed: float, calls_per_minute: float = math.inf) -> float:
    """Polls a day from now on, of a day of which the share `elapsed` is over: what is left, over the time left; and
    never more than twice the budget, or a quiet night would be followed by a storm; nor more than polling's share of
    `calls_per_minute`, or they would only wait."""
    left = max(budget - spent_today, 0.0) / max(1.0 - elapsed, 0.05)
    return min(left, 2.0 * budget, POLLING_SHARE * calls_per_minute * 1440.0)


@dataclass(frozen=True, slots=True)
class GooglesDay:
    """The day by which Google bills. `elapsed`: share of it that is over; a day may have 23 hours or 25."""

    date: dt.date
    elapsed: float


def googles_day(now: dt.datetime) -> GooglesDay:
    local = now.astimezone(GOOGLES_ZONE)
    start = dt.datetime.combine(local.date(), dt.time(), GOOGLES_ZONE).astimezone(dt.UTC)
    end = dt.datetime.combine(local.date() + dt.timedelta(days=1), dt.time(), GOOGLES_ZONE).astimezone(dt.UTC)
    return GooglesDay(local.date(), (now - start) / (end - start))


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of billable requests. `exhausted_in_days`: until what is free today is used up; None: not today."""

    today: float
    month: float
    exhausted_in_days: float | None


def expected_per_day(spent_today: float, spent_yesterday: float | None, day: GooglesDay) -> float:
    """Billable requests a day from here on: today's pace, as far as the day tells it, and yesterday's for the rest."""
    if spent_yesterday is None:
        return spent_today / max(day.elapsed, 0.02)
    return spent_today + (1.0 - day.elapsed) * spent_yesterday


def forecast(
    spent_today: float, spent_this_month: float, calls_per_day: float, day: GooglesDay, free_per_day: float
) -> Forecast:
    """`spent_this_month` includes today's; `calls_per_day`: all billable requests, averaged."""
    left_today = 1.0 - day.elapsed
    following = (day.date.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    left_this_month = (following - day.date).days - day.elapsed
    today = spent_today + calls_per_day * left_today
    exhausted = None
    if today > free_per_day:
        exhausted = max(0.0, free_per_day - spent_today) / calls_per_day if calls_per_day else 0.0
    return Forecast(today, spent_this_month + calls_per_day * left_this_month, exhausted)
