"""Managing subscriptions: making, changing, testing, replaying. Called by the operator's routes.

A secret is made here, leaves once, in the answer, and is stored as ciphertext bound to its subscription.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sync.clients.vault import SUBSCRIPTION_SECRET
from sync.core.events.bodies import test_body
from sync.core.events.endpoints import url_problem
from sync.errors import SyncError
from sync.event_model import Answer
from sync.jobs.events.deliver import post
from sync.jobs.services import Services
from sync.states import SubscriptionContent

# Each costs a look at every claim; who has more subscribers puts something that fans out behind one.
MAX_SUBSCRIPTIONS = 100
# The specification: 24 to 64 random bytes.
SECRET_BYTES = 32
# Receivers have so long to take the new secret over.
OVERLAP_SECONDS = 86_400
# Events of the feed that one step of a replay looks at.
REPLAY_STEP = 1000


class UrlRefused(SyncError):
    """Events may not be sent there; `detail` ends a sentence about the URL."""


class SubscriptionRefused(SyncError):
    """`code`: too_many, dropped (the start is kept no more), ahead (no such position was given yet)."""


def subscribe(
    services: Services,
    url: str,
    *,
    types: Sequence[str] | None = None,
    content: SubscriptionContent = SubscriptionContent.IDS,
    after: int | None = None,
) -> tuple[str, str]:
    """(id, secret) of a new subscription, told of what comes after a position (None: from now on). Raises UrlRefused,
    SubscriptionRefused, StoreFailure."""
    _check(services, url)
    subscription_id, secret = str(uuid.uuid4()), _new_secret()
    sealed = services.vault.seal(subscription_id, SUBSCRIPTION_SECRET, secret)
    outcome = services.store.subscriptions.add(
        subscription_id, url, sealed, types=types, content=content, after=after, most=MAX_SUBSCRIPTIONS
    )
    if outcome != "made":
        raise SubscriptionRefused(outcome)
    services.log.info("subscription_made", subscription_id=subscription_id)
    return subscription_id, secret


def change(
    services: Services, subscription_id: str, changes: Mapping[str, Any], *, rotate_secret: bool
) -> tuple[bool, str | None]:
    """(whether there is such a subscription, its new secret if it was rotated). `changes`: of url, types, content,
    state. Raises UrlRefused, StoreFailure."""
    if "url" in changes:
        _check(services, changes["url"])
    secret = _new_secret() if rotate_secret else None
    sealed = {"secret": services.vault.seal(subscription_id, SUBSCRIPTION_SECRET, secret)} if secret else {}
    reason = {"state_reason": "operator"} if changes.get("state") == "disabled" else {}
    is_there = services.store.subscriptions.change(subscription_id, {**changes, **reason, **sealed}, OVERLAP_SECONDS)
    return is_there, secret if is_there else None


def send_test(services: Services, subscription_id: str) -> Answer | None:
    """Sends a test event now and waits for the answer; nothing of it is kept. None: no such subscription."""
    endpoint = services.store.subscriptions.endpoint(subscription_id)
    if endpoint is None:
        return None
    message_id = f"evt_test_{uuid.uuid4().hex}"
    return post(services, endpoint, message_id, test_body(subscription_id, services.clock()))


def replay(services: Services, subscription_id: str, after: int, upto: int) -> int | None:
    """Has events after a position up to another sent again, in their order; how many. None: no such subscription."""
    replayed, next_after = 0, after
    while True:
        step = services.store.subscriptions.replay(subscription_id, next_after, upto, REPLAY_STEP)
        if step is None:
            return None
        replayed += step[0]
        if step[1] is None:
            return replayed
        next_after = step[1]


def _check(services: Services, url: str) -> None:
    problem = url_problem(url, in_development=services.settings.is_development)
    if problem:
        raise UrlRefused("url_refused", problem)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
