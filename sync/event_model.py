"""Change events and their delivery, as types that cross floors. Plain data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.states import DeliveryState, SubscriptionContent


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One row of the feed. `data`: names of changed columns, a reason, from and to; never content."""

    position: int
    type: str
    user_id: str | None
    calendar_id: str | None
    meeting_id: str | None
    data: Mapping[str, Any]
    occurred_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """A page of it, in order. `last`: the last position given so far; `dropped`: those up to it are kept no more."""

    events: tuple[FeedEvent, ...]
    last: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a subscription's events go. Secrets are ciphertext; the previous one is there while it signs too."""

    subscription_id: str
    url: str
    content: SubscriptionContent
    secret: str
    previous_secret: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed attempt at one event for one subscription. `attempt` names it, `tries` is its place in the schedule.

    `row`: for full content, the row as it was at the claim. `is_doubtful`: the endpoint failed or was slow last.
    """

    endpoint: Endpoint
    event_id: int
    attempt: int
    tries: int
    failures_in_a_row: int
    is_doubtful: bool
    event: FeedEvent
    row: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one POST: a status, or the code of what went wrong before there was one."""

    status: int | None
    error_code: str | None
    retry_after_seconds: float | None
    duration_ms: int


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """What follows from an answer. `next_seconds`: until the next attempt. `pause_seconds`: nothing at all is sent to
    the endpoint for so long. `disable_reason`: it is not to be told any more."""

    state: DeliveryState
    error_code: str | None = None
    next_seconds: float = 0.0
    pause_seconds: float | None = None
    disable_reason: str | None = None
