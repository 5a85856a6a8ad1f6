"""What all calendars together tell of one that nothing is known of. Pure. Called now and then, for all at once."""

from __future__ import annotations

from dataclasses import dataclass

from sync.core.polling.belief import Pool

# What is believed before anything was counted, and the calendars, changes and deaths that it weighs.
FIRST = Pool()
_FIRST_CALENDARS, _FIRST_CHANGES, _FIRST_DEATHS = 5.0, 30.0, 1.0
# With a calendar that was announced less of, push is poor.
POOR_RECALL = 0.85
# A calendar counts once it was watched for so many days of change time, or changed so often.
COUNTS_FROM_DAYS, COUNTS_FROM_CHANGES = 2.0, 4.0
_LEAST_CHANGES, _MOST_CHANGES = 0.2, 5.0
# Google itself says that it is less than all.
_MOST_RECALL = 0.999


@dataclass(frozen=True, slots=True)
class Census:
    """Sums over the calendars that count. Of those with `COUNTS_FROM_DAYS`: `rated`, their rates and the squares of
    those. Of those with `COUNTS_FROM_CHANGES` announced or missed: `poor`, and of the others, `good`, what was
    announced and missed. Over a region's channels: deaths, and days in which they were seen to live."""

    rated: int = 0
    rates: float = 0.0
    rate_squares: float = 0.0
    good: int = 0
    poor: int = 0
    announced: float = 0.0
    missed: float = 0.0
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
    counted = census.announced + census.missed
    recall = (census.announced + FIRST.recall * _FIRST_CHANGES) / (counted + _FIRST_CHANGES)
    poor = (census.poor + FIRST.poor * _FIRST_CALENDARS) / (census.good + census.poor + _FIRST_CALENDARS)
    hazard = (census.deaths + _FIRST_DEATHS) / (census.channel_days + _FIRST_DEATHS / FIRST.hazard)
    return Pool(rate, weight, min(recall, _MOST_RECALL), poor, hazard)
