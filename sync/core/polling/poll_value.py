"""What a poll is worth, and so when it is due. Pure. Called by the plan, through the table.

A calendar changes `rate` times a day; its channel announces each change with chance `recall` and is then looked at at
once; the channel dies `hazard` times a day, was dead at the last look with chance `doubt`, and from its death on
announces nothing. Of a time d since that look, while nothing is announced, with g = recall·rate:

    S(d)  silent so far           = (1-doubt)·[e^-(h+g)d + h/(h+g)·(1-e^-(h+g)d)] + doubt
    W(d)  silent, and still fresh = e^-rate·d, be the channel dead or alive
    ψ = ∫S, w = ∫W, F = W/S, r = -S'/S

A cycle, from look to look, costs a poll with chance S and has w fresh days of ψ. Setting the derivative of
(w - price·S)/ψ to zero gives the value of a poll, V(d) = (w - F·ψ)/(S + r·ψ), in days of staleness that it saves. A
poll is due when that comes to its price. Against the best sequence of looks there is, it loses under 2 %, most where
push is poor (`tests/core/polling/test_poll_value.py` works it out). After Azar et al. (PNAS 2018) and Busa-Fekete et
al. (arXiv 2502.02430), whose signals are lost one by one and never die.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

SHORTEST_DAYS = 1 / 1440
LONGEST_DAYS = 1.0
_HALVINGS = 24
# A calendar that changes faster than this share of one change per price is beyond keeping fresh: by the value alone it
# would be given up. It is polled as if it changed so often, every three or four prices.
MOST_CHANGES_PER_PRICE = 0.5

# Prices and hazards in between share a table: 5 % apart, which moves no interval by more than 3 %.
_STEPS_PER_FACTOR_E = 20
# The corners of the table, between which it is interpolated; it changes smoothly over them.
_LOG_RATE_FROM, _LOG_RATE_TO, _LOG_RATE_STEP = math.log(1e-3), math.log(2e3), 0.4
_RECALLS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.995, 1.0)
_DOUBTS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0)


def poll_value(rate: float, recall: float, doubt: float, hazard: float, days: float) -> float:
    """Days of staleness that a poll saves, so many days after the last look, if nothing was announced since."""
    fresh = math.exp(-rate * days)
    leaving = recall * rate + hazard
    alive = 1.0 - doubt
    speechless = math.exp(-leaving * days)
    died = hazard / leaving if leaving else 0.0
    silent = alive * (speechless + died * (1.0 - speechless)) + doubt
    spoken_for = (1.0 - speechless) / leaving if leaving else days
    silent_days = alive * (spoken_for + died * (days - spoken_for)) + doubt * days
    fresh_days = (1.0 - fresh) / rate
    announcing = alive * (leaving - hazard) * speechless / silent
    return (fresh_days - fresh / silent * silent_days) / (silent + announcing * silent_days)


def stale_chance(rate: float, recall: float, doubt: float, hazard: float, days: float) -> float:
    """P(something changed that is not known yet), nothing having been announced since the look so many days ago."""
    leaving = recall * rate + hazard
    speechless = math.exp(-leaving * days)
    died = hazard / leaving if leaving else 0.0
    silent = (1.0 - doubt) * (speechless + died * (1.0 - speechless)) + doubt
    return max(0.0, 1.0 - math.exp(-rate * days) / silent)


def days_to_poll(rate: float, recall: float, doubt: float, hazard: float, price_days: float) -> float:
    """From a look to the poll after it, if nothing is announced. Between a minute and a day."""
    rate = min(rate, MOST_CHANGES_PER_PRICE / price_days)
    low, high = SHORTEST_DAYS, LONGEST_DAYS
    if poll_value(rate, recall, doubt, hazard, high) <= price_days:
        return high
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if poll_value(rate, recall, doubt, hazard, middle) < price_days:
            low = middle
        else:
            high = middle
    return high


@dataclass(slots=True)
class PollTable:
    """`days_to_poll` at one price and hazard: each corner is worked out once, when it is first met."""

    hazard: float
    price_days: float
    _corners: dict[tuple[int, int, int], float] = field(default_factory=dict)

    def by_rate(self, recall: float, doubt: float) -> Callable[[float], float]:
        """`days_to_poll` of one calendar, within a few per cent, as a function of its rate."""
        j, along_recall = _between(_RECALLS, recall)
        k, along_doubt = _between(_DOUBTS, doubt)
        planes: dict[int, float] = {}

        def plane(i: int) -> float:
            if i not in planes:
                planes[i] = self._plane(i, j, k, along_recall, along_doubt)
            return planes[i]

        def days(rate: float) -> float:
            place = (min(max(math.log(rate), _LOG_RATE_FROM), _LOG_RATE_TO) - _LOG_RATE_FROM) / _LOG_RATE_STEP
            i = int(place)
            slow = plane(i)
            return math.exp(slow + (plane(i + 1) - slow) * (place - i))

        return days

    def days(self, rate: float, recall: float, doubt: float) -> float:
        """`days_to_poll`, within a few per cent."""
        return self.by_rate(recall, doubt)(rate)

    def _plane(self, i: int, j: int, k: int, along_recall: float, along_doubt: float) -> float:
        low = self._corner(i, j, k)
        low += (self._corner(i, j, k + 1) - low) * along_doubt if along_doubt else 0.0
        if not along_recall:
            return low
        high = self._corner(i, j + 1, k)
        high += (self._corner(i, j + 1, k + 1) - high) * along_doubt if along_doubt else 0.0
        return low + (high - low) * along_recall

    def _corner(self, i: int, j: int, k: int) -> float:
        found = self._corners.get((i, j, k))
        if found is None:
            rate = math.exp(_LOG_RATE_FROM + i * _LOG_RATE_STEP)
            found = math.log(days_to_poll(rate, _RECALLS[j], _DOUBTS[k], self.hazard, self.price_days))
            self._corners[i, j, k] = found
        return found


@lru_cache(maxsize=32)
def _table(hazard_step: int, price_step: int) -> PollTable:
    return PollTable(math.exp(hazard_step / _STEPS_PER_FACTOR_E), math.exp(price_step / _STEPS_PER_FACTOR_E))


def poll_table(hazard: float, price_days: float) -> PollTable:
    """The table of a price and a hazard near these. One object for all who ask, so that it is worked out once."""
    return _table(_step(hazard), _step(price_days))


def _step(value: float) -> int:
    return round(math.log(max(value, 1e-6)) * _STEPS_PER_FACTOR_E)


def _between(corners: tuple[float, ...], value: float) -> tuple[int, float]:
    """The corner below, and the share of the way to the next."""
    index = bisect_right(corners, value) - 1
    if index >= len(corners) - 1:
        return len(corners) - 1, 0.0
    index = max(index, 0)
    low = corners[index]
    return index, min(1.0, max(0.0, (value - low) / (corners[index + 1] - low)))
