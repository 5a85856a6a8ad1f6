"""One user's poll, because an operator or the user asked: the documented rule, or past it with `force`. Called by
the web."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.clients.store import UserCalendar
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import SETTINGS_MOVED, SyncOutcome, sync_claim
from sync.states import SyncStatus

# Another worker may be syncing the calendar right now; what it listed may be older than the question, so we wait our
# turn.
WAIT_FOR_LEASE_SECONDS = 20.0
WAIT_STEP_SECONDS = 0.2
# For all calendars together: the caller holds a thread meanwhile, and most proxies give a call half a minute.
USER_POLL_SECONDS = 25.0
# Of `left`: when the time was over, and beyond what one user may have watched.
TIME_USED_UP = "time_budget_used_up"
TOO_MANY = "too_many_calendars"


@dataclass(frozen=True, slots=True)
class UserPoll:
    """`outcomes` of the calendars that were synced; `left` maps the others (Google's id) to why not."""

    outcomes: tuple[SyncOutcome, ...]
    left: dict[str, str]


def poll_user(
    services: Services,
    user_id: str,
    *,
    forced: bool,
    should_stop: Callable[[], bool] = lambda: False,
    budget_seconds: float = USER_POLL_SECONDS,
) -> UserPoll:
    """Polls a user's calendars, within a time for all; a listing cut short by it is given back. `left` reasons:
    recent_notification, sync_in_progress, backing_off, time_budget_used_up, too_many_calendars, google_api_down,
    token_endpoint_down, or why a calendar is paused."""
    outcomes: list[SyncOutcome] = []
    calendars = services.store.claims.calendars_of_user(user_id)
    most = services.settings.max_calendars_per_user
    left = {calendar.google_calendar_id: TOO_MANY for calendar in calendars[most:]}
    deadline = time.monotonic() + budget_seconds

    def is_over() -> bool:
        return should_stop() or time.monotonic() > deadline

    for calendar in calendars[:most]:
        if is_over():
            left[calendar.google_calendar_id] = TIME_USED_UP
            continue
        if calendar.paused_reason:
            left[calendar.google_calendar_id] = calendar.paused_reason
            continue
        if calendar.backoff_seconds > WAIT_FOR_LEASE_SECONDS:
            # Google asked for this pause, or it fails: nobody's wish shortens that.
            left[calendar.google_calendar_id] = "backing_off"
            continue
        outcome = _poll(services, calendar, forced, is_over)
        if outcome is not None and outcome.status is SyncStatus.RELEASED:
            # quota_wait, or Google answers nobody just now; else the time was over.
            left[calendar.google_calendar_id] = TIME_USED_UP if is_over() else outcome.reason
        elif outcome is None:
            left[calendar.google_calendar_id] = "sync_in_progress"
        elif outcome.status is SyncStatus.SKIPPED:
            left[calendar.google_calendar_id] = outcome.reason
        else:
            outcomes.append(outcome)
    return UserPoll(tuple(outcomes), left)


def _poll(
    services: Services, calendar: UserCalendar, forced: bool, should_stop: Callable[[], bool]
) -> SyncOutcome | None:
    deadline = time.monotonic() + WAIT_FOR_LEASE_SECONDS
    while True:
        claimed = services.leases.claim(1, calendar_ids=[calendar.calendar_id], even_if_not_due=True)
        if claimed:
            outcome = sync_claim(services, claimed[0], asked=True, forced=forced, should_stop=should_stop)
            if outcome.reason != SETTINGS_MOVED:
                return outcome
        if time.monotonic() > deadline or should_stop():
            return None
        time.sleep(WAIT_STEP_SECONDS)
