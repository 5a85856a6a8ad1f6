"""GET /metrics: what Prometheus reads, for the bearer of METRICS_TOKEN. Without one set there is no such page."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from sync.jobs.operations.figures import StoreFigures
from sync.jobs.services import Services
from sync.telemetry.exposition import CONTENT_TYPE, exposition
from sync.web.doors.auth import require_scraper
from sync.web.doors.problems import Problem

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def read() -> Response:
    services: Services = current_app.extensions["services"]
    if services.settings.metrics_token is None:
        raise Problem(404, "metrics_off", "There are no metrics here: METRICS_TOKEN is not set.")
    require_scraper()
    figures: StoreFigures = current_app.extensions["figures"]
    return Response(exposition(figures), content_type=CONTENT_TYPE)
