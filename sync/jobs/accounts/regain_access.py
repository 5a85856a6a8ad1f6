"""Connects users again who lost their connection by mistake (under a wrong OAuth client, say). Called by the cli.

Each lost connection's refresh token is tried: where Google takes it, the user's calendars go on and are caught up, and
their plea to reconnect is settled. Where Google refuses it, nothing changes. May be interrupted and run again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync.errors import ReconnectNeeded, RetryLater, TokenUnreadable
from sync.jobs.services import Services
from sync.model import SealedTokens

USERS_AT_ONCE = 200
_FIRST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Regained:
    """`regained` users; `refused`: their grants are dead indeed; `left`: Google did not answer, or no key opens the
    token."""

    regained: int = 0
    refused: int = 0
    left: int = 0


def regain_access(services: Services, on_progress: Callable[[Regained], None] = lambda _: None) -> Regained:
    """Goes through all lost connections once. Raises Misconfigured (our OAuth client is refused: nothing can be said
    of anybody's grant), StoreFailure."""
    after, found = _FIRST, Regained()
    while batch := services.store.connections.lost(after, USERS_AT_ONCE):
        for user_id, tokens in batch:
            outcome = _regain(services, user_id, tokens.refresh or "")
            found = Regained(
                found.regained + (outcome == "regained"),
                found.refused + (outcome == "refused"),
                found.left + (outcome == "left"),
            )
        after = batch[-1][0]
        on_progress(found)
    return found


def _regain(services: Services, user_id: str, stored_refresh: str) -> str:
    try:
        plain = services.vault.open(user_id, "refresh", stored_refresh)
        grant = services.tokens.grant_of(plain)
    except ReconnectNeeded:
        return "refused"
    except (RetryLater, TokenUnreadable) as failure:
        services.log.warning("access_not_regained", user_id=user_id, error_code=failure.code)
        return "left"
    sealed = services.tokens.seal(user_id, plain, grant)
    kept = SealedTokens(sealed.access, sealed.access_expires_at, sealed.refresh if grant.refresh_token else None)
    client = services.settings.google_client_id
    if not services.store.connections.regain(user_id, stored_refresh, kept, client):
        # They have reconnected, or left, in between.
        return "left"
    services.log.info("connection_regained", user_id=user_id)
    return "regained"
