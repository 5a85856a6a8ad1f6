"""One attempt at telling a subscriber of one event: open the secret, send, judge, record. Called by the courier.

At least once: a process that dies between sending and recording leaves a lease that runs out, and the same message, by
the same id, is sent again.
"""

from __future__ import annotations

from sync.clients.vault import SUBSCRIPTION_SECRET
from sync.core.events.bodies import body_of, event_id
from sync.core.events.delivery_rules import judge
from sync.errors import TokenUnreadable
from sync.event_model import Answer, Delivery, Endpoint
from sync.jobs.services import Services
from sync.states import DeliveryState
from sync.telemetry.metrics import EVENT_DELIVERIES


def deliver(services: Services, delivery: Delivery) -> bool:
    """Whether it was delivered. Raises StoreFailure: nothing is recorded, and it is sent again once its lease is
    over."""
    body = body_of(delivery.event, services.settings.supabase_url, delivery.row)
    answer = post(services, delivery.endpoint, event_id(delivery.event.position), body)
    end = judge(
        answer,
        tries=delivery.tries,
        failures_in_a_row=delivery.failures_in_a_row,
        jitter=services.jitter(),
    )
    EVENT_DELIVERIES.labels("retried" if end.state is DeliveryState.PENDING else end.state).inc()
    is_recorded = services.store.deliveries.record(delivery, answer, end)
    told = {"subscription_id": delivery.endpoint.subscription_id, "position": delivery.event.position}
    if not is_recorded:
        services.log.info("event_recorded_elsewhere", **told)
    elif end.disable_reason:
        services.log.error("subscription_disabled", reason=end.disable_reason, **told)
    elif end.state is DeliveryState.DEAD:
        services.log.error("event_not_delivered", error_code=end.error_code, tries=delivery.tries, **told)
    elif end.state is DeliveryState.PENDING:
        services.log.info("event_delayed", error_code=end.error_code, tries=delivery.tries, **told)
    return end.state is DeliveryState.DELIVERED


def post(services: Services, endpoint: Endpoint, message_id: str, body: str) -> Answer:
    """Signs with the subscription's secrets as they are now, and sends."""
    try:
        secrets = [
            services.vault.open(endpoint.subscription_id, SUBSCRIPTION_SECRET, sealed)
            for sealed in (endpoint.secret, endpoint.previous_secret)
            if sealed
        ]
    except TokenUnreadable as unreadable:
        services.log.warning("secret_unreadable", subscription_id=endpoint.subscription_id, error_code=unreadable.code)
        return Answer(None, "secret_unreadable", None, 0)
    return services.sender.post(endpoint.url, message_id, body, secrets, services.clock())
