"""Looks after the service as an administrator would, once a minute and by one process for all: finds what is wrong,
opens and resolves alerts, tells them. Rules live in `core/operations`. Called by the duties and by the polling cron.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from sync.alert_model import AlertChange, Finding
from sync.core.operations.alert_course import next_round
from sync.core.operations.alert_rules import find
from sync.core.operations.alert_text import message
from sync.core.operations.rule_parts import Limits
from sync.jobs.operations.observe import observe
from sync.jobs.operations.tell_alerts import tell_alerts
from sync.jobs.services import Services
from sync.settings import Settings
from sync.states import AlertSeverity

JOB = "watch_over"
EVERY_SECONDS = 60


def watch_over(services: Services, *, is_driving: bool) -> tuple[Finding, ...]:
    """One round; what was found in it. `is_driving`: a process that goes on does it, not one that a cron woke. Raises
    StoreFailure, and then no heartbeat goes out."""
    settings, now = services.settings, services.clock()
    alerts = services.store.alerts.open()
    seen = observe(services)
    if is_driving:
        seen = replace(seen, driven_ago=0.0)
    keys = frozenset(alert.key for alert in alerts)
    findings = find(seen, Limits(settings.alert_failure_percent / 100), keys.__contains__)
    remind_after = dt.timedelta(hours=settings.alert_remind_hours)
    changes = _unmuted(next_round(alerts, findings, now, remind_after), settings)
    if changes:
        text = message(changes, _service_name(settings), now)
        if services.store.alerts.record(now, changes, text, services.destinations.names):
            _log(services, changes)
    tell_alerts(services)
    _beat(services)
    return findings


def watch_over_in_turn(services: Services) -> None:
    """For a cron: only if no process has done it within the minute. Raises StoreFailure."""
    if services.store.claims.take_job(JOB, EVERY_SECONDS * 0.9, services.worker_name):
        watch_over(services, is_driving=False)


def _unmuted(changes: Sequence[AlertChange], settings: Settings) -> tuple[AlertChange, ...]:
    """What is muted is recorded and told to nobody."""
    muted = settings.alert_mute or frozenset()
    return tuple(replace(each, news=None) if each.kind in muted else each for each in changes)


def _service_name(settings: Settings) -> str:
    """For whoever runs several: where Google reaches it."""
    return urlsplit(next(iter(settings.webhook_base_urls.values()))).hostname or "calendar monitor"


def _log(services: Services, changes: Sequence[AlertChange]) -> None:
    for each in changes:
        if not each.news:
            continue
        is_bad = each.severity is AlertSeverity.CRITICAL and not each.is_resolved
        emit = services.log.error if is_bad else services.log.warning
        emit(f"alert_{each.news}", key=each.key, severity=each.severity, calendars=each.calendars, cause=each.cause)


def _beat(services: Services) -> None:
    if services.heartbeat is None:
        return
    error_code = services.heartbeat.beat()
    if error_code:
        services.log.info("heartbeat_not_heard", error_code=error_code)
