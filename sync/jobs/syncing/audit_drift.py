"""The drift audit: whether `meetings` equals the calendar, as a number. Called by the duties at a low rate, and by the
cli.

A calendar is first brought up to date, then listed whole under the same rules as any full sync. Whatever that second
commit has to write was wrong before: it is counted (audited, differing, repaired in `calendar_sync_logs`, reason
`audit`) and put right by the same commit. What changes in the calendar between the two is no drift: it is announced,
and the audit is void.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sync.core.polling.plan import SyncPlan, plan_audit, plan_catch_up
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import SyncOutcome, sync_claim
from sync.model import Claim
from sync.states import SyncStatus
from sync.telemetry.origin import follower


@dataclass(frozen=True, slots=True)
class Audit:
    """`calendars` audited; `differing` meetings found wrong, all of them repaired; `left`: busy or failing, tried
    later."""

    calendars: int = 0
    differing: int = 0
    left: int = 0

    def __add__(self, other: Audit) -> Audit:
        return Audit(self.calendars + other.calendars, self.differing + other.differing, self.left + other.left)


def audit_drift(
    services: Services,
    *,
    limit: int,
    calendar_ids: Sequence[str] | None = None,
    before: dt.datetime | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Audit:
    """Audits up to `limit` calendars, those first whose last audit is the longest ago; none that had one since
    `before`."""
    calendars = differing = left = 0
    for calendar_id in services.store.audits.sample(limit, calendar_ids, before):
        if should_stop():
            break
        found = _audit(services, calendar_id, should_stop)
        if found is None:
            left += 1
            continue
        calendars += 1
        differing += found
        if found:
            services.log.warning("drift_found", calendar_id=calendar_id, differing=found)
    return Audit(calendars, differing, left)


def audit_side_by_side(
    services: Services,
    before: dt.datetime,
    on_progress: Callable[[Audit], None],
    should_stop: Callable[[], bool] = lambda: False,
    *,
    most: int | None = None,
) -> Audit:
    """Audits calendars that had no audit since `before`, several at a time: `most` of them, or all. Whoever gives the
    same time again goes on where this stood."""
    threads, done = services.settings.sync_threads, Audit()

    def one(_number: int) -> Audit:
        return audit_drift(services, limit=1, before=before, should_stop=should_stop)

    with ThreadPoolExecutor(threads, thread_name_prefix="audit", initializer=follower()) as pool:
        while not should_stop():
            room = threads if most is None else min(threads, most - done.calendars - done.left)
            found = sum(pool.map(one, range(room)), Audit())
            if found == Audit():
                break
            done += found
            on_progress(done)
    return done


def _audit(services: Services, calendar_id: str, should_stop: Callable[[], bool]) -> int | None:
    """Meetings that differed; None if the calendar is busy or changing, or could not be listed."""
    if _sync(services, calendar_id, plan_catch_up, should_stop) is None:
        return None
    outcome = _sync(services, calendar_id, plan_audit, should_stop)
    if outcome is None or outcome.claim.is_notified or outcome.again_in_seconds is not None:
        return None
    return outcome.created + outcome.updated + outcome.deleted


def _sync(
    services: Services, calendar_id: str, plan: Callable[[Claim, int], SyncPlan], should_stop: Callable[[], bool]
) -> SyncOutcome | None:
    claimed = services.leases.claim(1, calendar_ids=[calendar_id], even_if_not_due=True)
    for claim in claimed:
        outcome = sync_claim(services, claim, plan=plan, should_stop=should_stop)
        if outcome.status is SyncStatus.COMPLETED:
            return outcome
    return None
