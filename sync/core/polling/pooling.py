"""What all calendars together tell of one that nothing is known of. Pure. Called now and then, for all at once."""

from __future__ import annotations

from dataclasses import dataclass

from sync.core.polling.belief import Pool

# What is believed before anything was counted, and the calendars (or deaths) that it weighs.
FIRST = Pool()
_FIRST_CALENDARS = 5.0
_FIRST_DEATHS = 1.0
# A calendar counts once it was watched for so many days of change time, or changed so often.
COUNTS_FROM_DAYS, COUNTS_FROM_CHANGES = 2.0, 4.0
_LEAST_CHANGES, _MOST_CHANGES = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class Census:
    """Sums over the calendars that count: of their rates and the squares of those, of their recalls; over a region's
    channels: deaths, and days in which they were seen to live."""

    rated: int = 0
    rates: float = 0.0
    rate_squares: float = 0.0
    recalled: int = 0
    recalls: float = 0.0
    deaths: float = 0.0
    channel_days: float = 0.0


def pool_of(census: Census) -> Pool:
    """The pool weighs for a calendar the less, the more calendars differ."""
    rate = (census.rates + FIRST.rate * _FIRST_CALENDARS) / (census.rated + _FIRST_CALENDARS)
    weight = FIRST.rate_changes
    if census.rated > _FIRST_CALENDARS:
        mean = census.rates / census.rated
        variance = max(census.rate_squares / census.rated - mean * mean, 1e-9)
        weight = min(max(mean * mean / variance, _LEAST_CHANGES), _MOST_CHANGES)
    recall = (census.recalls + FIRST.recall * _FIRST_CALENDARS) / (census.recalled + _FIRST_CALENDARS)
    hazard = (census.deaths + _FIRST_DEATHS) / (census.channel_days + _FIRST_DEATHS / FIRST.hazard)
    return Pool(rate, weight, recall, FIRST.recall_changes, hazard)
