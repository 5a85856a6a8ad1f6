"""Sends a test alert to each destination of ALERT_URLS, now: `python -m sync.jobs.operations.send_test_alert`.

Prints a line for each. Exit code 1: one of them did not take it; 2: the configuration has problems, or names none.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from sync.alert_model import AlertMessage
from sync.clients.alerts.destinations import AlertDestinations
from sync.settings import SettingsError, load
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


def main() -> int:
    try:
        settings = load()
    except SettingsError as problems:
        print(problems, file=sys.stderr)  # noqa: T201 - a command
        return 2
    if not settings.alert_urls:
        print("ALERT_URLS names no destination.", file=sys.stderr)  # noqa: T201
        return 2
    came = send_test_alert(AlertDestinations(settings.alert_urls))
    for name, error_code in came.items():
        print(f"{name}: {error_code or 'taken'}")  # noqa: T201
    return 1 if any(came.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
