"""The polling endpoints: one user's poll, and the cron's sweep. Answers keep the original edge functions' keys."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.core.polling.poll_policy import vouched_until
from sync.jobs.driving.cron import CronRun, polling_cron
from sync.jobs.driving.driver import Driver
from sync.jobs.driving.poll_user import UserPoll, poll_user
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import SyncOutcome
from sync.states import SyncStatus
from sync.web.doors.auth import require_service, who_calls
from sync.web.doors.body import flag, json_object
from sync.web.doors.long_work import long_work
from sync.web.doors.problems import Problem
from sync.web.doors.turns import users_turn

blueprint = Blueprint("polling", __name__)

# A sweep may cover thousands of calendars; the answer names failures first, then as many others as fit.
MAX_RESULTS = 200


@blueprint.post("/functions/v1/calendar-polling-service")
def poll_one_user() -> ResponseReturnValue:
    caller = who_calls(or_scheduler=True)
    body = json_object()
    user_id = caller.acts_for(body.get("userId"))
    services: Services = current_app.extensions["services"]
    driver: Driver = current_app.extensions["driver"]
    forced = flag(body, "force")
    with users_turn(user_id):
        polled = poll_user(services, user_id, forced=forced, should_stop=lambda: driver.is_stopping)
    _follow_up(polled.outcomes)
    if not polled.outcomes and not polled.left:
        raise Problem(404, "no_calendars", "This user has no connected calendar.")
    failed = [outcome for outcome in polled.outcomes if outcome.status is not SyncStatus.COMPLETED]
    if failed and len(failed) == len(polled.outcomes):
        # Nothing could be polled: an operator's curl -f must see it.
        code = failed[0].error_code or failed[0].status
        raise Problem(502, code, "The poll failed; it is tried again by itself. calendar_sync_logs has the reason.")
    return jsonify(
        success=not failed,
        message=_message(polled, len(failed)),
        **_totals(polled.outcomes),
        skipped=not polled.outcomes,
        reason=_reason(polled),
        results=[_result(outcome) for outcome in polled.outcomes],
        left=polled.left,
    )


@blueprint.post("/functions/v1/calendar-polling-cron")
def poll_all_due() -> ResponseReturnValue:
    require_service()
    services: Services = current_app.extensions["services"]
    driver: Driver = current_app.extensions["driver"]
    with long_work().for_scheduler():
        run = polling_cron(services, lambda: driver.is_stopping, driver.follow_up)
    sweep = run.sweep
    _follow_up(sweep.outcomes)
    totals = _totals(sweep.outcomes)
    failed = [outcome for outcome in sweep.outcomes if outcome.status is SyncStatus.FAILED]
    skipped = [outcome for outcome in sweep.outcomes if outcome.status is SyncStatus.SKIPPED]
    shown = [*failed, *(outcome for outcome in sweep.outcomes if outcome.status is not SyncStatus.FAILED)][:MAX_RESULTS]
    return jsonify(
        success=not run.failed,
        message=_cron_message(run),
        **{f"total_{name}": figure for name, figure in totals.items()},
        total_skipped=max(len(skipped), sweep.vouched_for - _synced_though_vouched(services, sweep.outcomes)),
        total_failed=len(failed),
        total_calendars=len(sweep.outcomes),
        remaining=sweep.remaining,
        results=[_result(outcome) for outcome in shown],
    )


def _cron_message(run: CronRun) -> str:
    message = f"{len(run.sweep.outcomes)} calendars were due, {run.sweep.remaining} remain."
    return message + (f" Cut short: {', '.join(run.failed)}." if run.failed else "")


def _follow_up(outcomes: tuple[SyncOutcome, ...]) -> None:
    """What these syncs leave owing is done after the answer, without the next cron."""
    driver: Driver = current_app.extensions["driver"]
    for outcome in outcomes:
        driver.follow_up(outcome)


def _synced_though_vouched(services: Services, outcomes: tuple[SyncOutcome, ...]) -> int:
    """Calendars this sweep synced (notified ones above all) that count as vouched for by now. The ones it skipped do
    too, and are counted there."""
    now, stale_hours = services.clock(), services.settings.poll_stale_hours
    return sum(
        outcome.status in {SyncStatus.COMPLETED, SyncStatus.FAILED}
        and vouched_until(outcome.claim.last_webhook_received, stale_hours, now) is not None
        for outcome in outcomes
    )


def _totals(outcomes: tuple[SyncOutcome, ...]) -> dict[str, int]:
    return {name: sum(getattr(o, name) for o in outcomes) for name in ("processed", "created", "updated", "deleted")}


def _result(outcome: SyncOutcome) -> dict[str, Any]:
    return {
        "userId": outcome.claim.user_id,
        "calendarId": outcome.claim.google_calendar_id,
        "status": outcome.status,
        "sync_type": outcome.sync_type,
        "reason": outcome.reason,
        "processed": outcome.processed,
        "created": outcome.created,
        "updated": outcome.updated,
        "deleted": outcome.deleted,
        "error": outcome.error_code,
    }


def _reason(polled: UserPoll) -> str | None:
    """Why nothing was polled, or why the calendars that were polled were."""
    if not polled.outcomes:
        return next(iter(polled.left.values()))
    return polled.outcomes[0].reason


def _message(polled: UserPoll, failed: int) -> str:
    if not polled.outcomes:
        return f"Nothing was polled: {_reason(polled)}."
    parts = [f"{len(polled.outcomes)} calendars polled"]
    if failed:
        parts.append(f"{failed} failed")
    if polled.left:
        parts.append(f"{len(polled.left)} left alone")
    return ", ".join(parts) + "."
