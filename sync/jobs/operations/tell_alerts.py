"""Tells administrators what is recorded for them: each destination by itself, in order, again later if it fails. Called
by `watch_over`; `check_destinations` by whoever starts a process.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sync.alert_model import AlertDelivery
from sync.core.operations.retries import next_attempt_seconds
from sync.jobs.services import Services
from sync.settings import SettingsError

# More than all attempts of a round take, with each destination's time running out.
LEASE_SECONDS = 120.0
AT_ONCE = 5


def tell_alerts(services: Services) -> int:
    """Messages that were taken. One that hangs costs its own time, and the others none. Raises StoreFailure."""
    names = services.destinations.names
    if not names:
        return 0
    due = services.store.alerts.claim_deliveries(names, LEASE_SECONDS)
    if not due:
        return 0
    with ThreadPoolExecutor(min(AT_ONCE, len(due)), thread_name_prefix="alert") as pool:
        return sum(pool.map(lambda delivery: _tell(services, delivery), due))


def _tell(services: Services, delivery: AlertDelivery) -> bool:
    error_code = services.destinations.send(delivery.destination, delivery.message)
    pause = next_attempt_seconds(delivery.attempt, delivery.age_seconds) if error_code else None
    services.store.alerts.record_delivery(delivery, error_code, pause)
    if error_code:
        services.log.warning(
            "alert_not_delivered",
            destination=delivery.destination,
            error_code=error_code,
            attempt=delivery.attempt,
            next_seconds=pause,
        )
    return error_code is None


def check_destinations(services: Services) -> None:
    """Raises SettingsError naming the places of the URLs in ALERT_URLS that nothing can be sent to."""
    unknown = services.destinations.unknown()
    if unknown:
        places = ", ".join(map(str, unknown))
        number = len(services.destinations.names)
        mend = f"number {places} of {number} is no URL that Apprise understands; compare it with Apprise's own page"
        raise SettingsError({"ALERT_URLS": mend})
