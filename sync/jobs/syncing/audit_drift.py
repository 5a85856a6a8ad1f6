"""The drift audit: whether `meetings` equals the calendar, as a number. Called by the duties at a low rate, and by
hand:

    python -m sync.jobs.syncing.audit_drift [--limit N] [--calendar ID …]

A calendar is first brought up to date, then listed whole under the same rules as any full sync. Whatever that second
commit has to write was wrong before: it is counted (audited, differing, repaired in `calendar_sync_logs`, reason
`audit`) and put right by the same commit. What changes in the calendar between the two is no drift: it is announced,
and the audit is void.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from sync.core.polling.plan import SyncPlan, plan_audit, plan_catch_up
from sync.errors import SyncError
from sync.jobs.services import Services, build_services
from sync.jobs.syncing.sync_calendar import SyncOutcome, sync_claim
from sync.logs import configure_logs
from sync.model import Claim
from sync.settings import SettingsError, load
from sync.states import SyncStatus


@dataclass(frozen=True, slots=True)
class Audit:
    """`calendars` audited; `differing` meetings found wrong, all of them repaired; `left`: busy or failing, tried
    later."""

    calendars: int = 0
    differing: int = 0
    left: int = 0


def audit_drift(
    services: Services,
    *,
    limit: int,
    calendar_ids: Sequence[str] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Audit:
    """Audits up to `limit` calendars, those first whose last audit is the longest ago."""
    calendars = differing = left = 0
    for calendar_id in services.store.audits.sample(limit, calendar_ids):
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one JSON line. Exit code 0: no drift; 1: drift was found (and repaired); 2: it could not be told."""
    parser = argparse.ArgumentParser(
        prog="python -m sync.jobs.syncing.audit_drift", description="Does meetings equal the calendar?"
    )
    parser.add_argument("--limit", type=int, default=10, help="calendars to audit (default 10)")
    parser.add_argument(
        "--calendar", action="append", metavar="ID", help="audit this row of calendar_webhooks; repeatable"
    )
    given = parser.parse_args(arguments)
    try:
        settings = load()
    except SettingsError as problems:
        print(problems, file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    configure_logs(settings.log_level, settings.log_format)
    try:
        audit = audit_drift(build_services(settings), limit=given.limit, calendar_ids=given.calendar)
    except SyncError as failure:
        print(f"the audit could not run: {failure.code}", file=sys.stderr)  # noqa: T201
        return 2
    print(json.dumps(asdict(audit)))  # noqa: T201
    return 1 if audit.differing else 0


if __name__ == "__main__":
    sys.exit(main())
