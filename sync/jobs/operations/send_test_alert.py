"""Sends a test alert to each destination of ALERT_URLS, now. Called by the cli."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sync.alert_model import AlertMessage
from sync.clients.alerts.destinations import AlertDestinations
from sync.states import AlertSeverity

MESSAGE = AlertMessage(
    AlertSeverity.WARNING,
    "[calendar monitor] Test alert",
    "This is a test. Alerts of the calendar monitor reach you here; nothing is wrong.",
)


def send_test_alert(destinations: AlertDestinations) -> dict[str, str | None]:
    """By destination: None: it was taken; else the code of what went wrong. They are told side by side."""
    names = destinations.names
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        return dict(zip(names, pool.map(lambda name: destinations.send(name, MESSAGE), names), strict=True))
