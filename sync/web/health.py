"""GET /healthz: the process lives. GET /readyz: it can do its work (the store answers)."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.jobs.services import Services
from sync.web.problems import Problem

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> ResponseReturnValue:
    return jsonify(status="ok")


@blueprint.get("/readyz")
def ready() -> ResponseReturnValue:
    services: Services = current_app.extensions["services"]
    if not services.store.is_reachable():
        raise Problem(503, "store_unavailable", "The database does not answer.", {"Retry-After": "5"})
    return jsonify(status="ready")
