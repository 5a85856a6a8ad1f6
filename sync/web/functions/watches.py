"""POST /functions/v1/renew-calendar-watches: the cron's renewal of push channels."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.jobs.driving.cron import renewal_cron
from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services
from sync.web.doors.auth import require_service
from sync.web.doors.long_work import long_work

blueprint = Blueprint("watches", __name__)

MAX_RESULTS = 200


@blueprint.post("/functions/v1/renew-calendar-watches")
def renew() -> ResponseReturnValue:
    require_service()
    services: Services = current_app.extensions["services"]
    driver: Driver = current_app.extensions["driver"]
    with long_work().for_scheduler():
        renewal = renewal_cron(services, lambda: driver.is_stopping)
    failed = [outcome for outcome in renewal.outcomes if outcome.channel is None]
    renewed = [outcome for outcome in renewal.outcomes if outcome.channel]
    return jsonify(
        success=True,
        message=f"{len(renewed)} watches renewed, {len(failed)} failed, {renewal.stopped} old channels stopped.",
        renewed=len(renewed),
        failed=len(failed),
        total=len(renewal.outcomes),
        stopped=renewal.stopped,
        remaining=renewal.remaining,
        results=[
            {
                "userId": outcome.claim.user_id,
                "calendarId": outcome.claim.google_calendar_id,
                "status": "renewed" if outcome.channel else "failed",
                "expires_at": outcome.channel.expires_at.isoformat() if outcome.channel else None,
                "error": outcome.error_code,
            }
            for outcome in [*failed, *renewed][:MAX_RESULTS]
        ],
    )
