"""What becomes of alerts in a round: opened once, told again seldom or when worse, resolved after a while. Pure.

Called by `jobs/operations/watch_over`. Whether a round counts is the store's to say: of two that look at once, one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sync.alert_model import Alert, AlertChange, Finding
from sync.states import AlertSeverity

# Longer than any rule's measure swings, shorter than anybody's patience.
WELL_FOR = dt.timedelta(minutes=10)
# Told again when it concerns so many times the calendars that were told last.
GROWN = 10


def next_round(
    alerts: Sequence[Alert], findings: Sequence[Finding], now: dt.datetime, remind_after: dt.timedelta
) -> tuple[AlertChange, ...]:
    """`alerts`: all that are open. A change for each of them, and for each finding that is none yet."""
    found = {finding.key: finding for finding in findings}
    known = {alert.key for alert in alerts}
    changes = []
    for alert in alerts:
        finding = found.get(alert.key)
        changes.append(_stays(alert, finding, now, remind_after) if finding else _fades(alert, now))
    changes += [_opens(finding) for key, finding in found.items() if key not in known]
    return tuple(changes)


def _opens(finding: Finding) -> AlertChange:
    return AlertChange(alert_id=None, revision=None, **_facts(finding), news="opened")


def _stays(alert: Alert, finding: Finding, now: dt.datetime, remind_after: dt.timedelta) -> AlertChange:
    news = None
    if alert.told_at is None or now - alert.told_at >= remind_after:
        news = "reminder"
    if _is_worse(alert, finding):
        news = "worse"
    facts = _facts(finding)
    if alert.severity is AlertSeverity.CRITICAL:
        # What was critical once stays so to its end: it would be worse again and again.
        facts["severity"] = alert.severity
    return AlertChange(alert.alert_id, alert.revision, **facts, news=news, opened_at=alert.opened_at)


def _is_worse(alert: Alert, finding: Finding) -> bool:
    if finding.severity is AlertSeverity.CRITICAL and alert.severity is not AlertSeverity.CRITICAL:
        return True
    return (finding.calendars or 0) >= GROWN * max(alert.told_calendars or 0, 1) and bool(finding.calendars)


def _fades(alert: Alert, now: dt.datetime) -> AlertChange:
    well_since = alert.well_since or now
    is_over = now - well_since >= WELL_FOR
    return AlertChange(
        alert.alert_id,
        alert.revision,
        **_facts(alert),
        well_since=well_since,
        is_resolved=is_over,
        news="resolved" if is_over else None,
        opened_at=alert.opened_at,
    )


def _facts(source: Alert | Finding) -> dict[str, Any]:
    names = ("key", "kind", "severity", "calendars", "cause", "sentence", "runbook")
    return {name: getattr(source, name) for name in names}
