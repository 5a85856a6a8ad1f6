"""create_app(): settings → clients → blueprints. Nothing else."""

from __future__ import annotations

import atexit

from flask import Flask
from werkzeug.datastructures import Headers

from sync.clients.user_tokens import UserTokens
from sync.jobs.driving.driver import Driver
from sync.jobs.driving.leaving import Leaving
from sync.jobs.operations.figures import StoreFigures
from sync.jobs.operations.security_events import SecurityEvents
from sync.jobs.operations.tell_alerts import check_destinations
from sync.jobs.services import Services, build_services
from sync.logs import configure_logs
from sync.settings import Settings, load
from sync.telemetry.traces import configure_traces
from sync.version import VERSION
from sync.web import health, metrics
from sync.web.accounts import calendars, connect, connect_google
from sync.web.dashboard import pages as dashboard
from sync.web.dashboard.operators import Operators
from sync.web.doors.auth import Doors
from sync.web.doors.cors import register_cors
from sync.web.doors.deadlines import register_deadlines
from sync.web.doors.guard import Guard
from sync.web.doors.long_work import LongWork
from sync.web.doors.problems import register_problems
from sync.web.doors.requests import register_requests
from sync.web.doors.returns import Returns
from sync.web.functions import bot_status, events, explain, polling, subscriptions, watches, webhook
from sync.web.openapi import document as openapi
from sync.web.openapi import reference

# Every body this service reads is a few hundred bytes; Google's notifications have none.
MAX_BODY_BYTES = 64 * 1024
ROUTES = (
    webhook,
    polling,
    watches,
    connect,
    connect_google,
    calendars,
    explain,
    events,
    subscriptions,
    bot_status,
    health,
    metrics,
    openapi,
    reference,
)


def create_app(settings: Settings | None = None, services: Services | None = None) -> Flask:
    """The WSGI application. Raises SettingsError naming every bad environment key."""
    settings = settings or load()
    configure_logs(settings.log_level, settings.log_format)
    services = services or build_services(settings)
    check_destinations(services)
    driver = Driver(services)
    doors = Doors(settings, UserTokens(settings.supabase_url, settings.supabase_jwt_secret, breakers=services.breakers))
    operators = Operators(settings, services.clock)

    def proves(headers: Headers) -> bool:
        return operators.holder(headers) is not None or doors.proves(headers)

    guard = Guard(settings, proves, Returns(settings, services.clock), SecurityEvents(services, driver))
    leaving = Leaving(services, driver, (guard.close, configure_traces(version=VERSION)))
    atexit.register(leaving.close)

    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["services"] = services
    app.extensions["driver"] = driver
    app.extensions["leaving"] = leaving
    app.extensions["figures"] = StoreFigures(services.store)
    app.extensions["doors"] = doors
    register_requests(app)
    register_deadlines(app)
    guard.register(app)
    LongWork().register(app)
    register_cors(app, settings)
    for routes in ROUTES:
        app.register_blueprint(routes.blueprint)
    dashboard.register(app, operators, VERSION)
    register_problems(app, guard.judge)
    return app
