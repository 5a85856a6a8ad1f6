"""A grant that died: named for the user, recorded once, everything of theirs paused. Called where a job ends in it."""

from __future__ import annotations

from sync.core.accounts.connection_loss import name_loss
from sync.errors import ReconnectNeeded
from sync.jobs.services import Services
from sync.model import SealedTokens


def record_loss(services: Services, user_id: str, tokens: SealedTokens, failure: ReconnectNeeded) -> None:
    """Marks the connection as lost, unless the user has reconnected since `tokens` were read; tells them the first
    time.

    Raises StoreFailure.
    """
    loss = name_loss(failure.code, tokens.connected_at, tokens.refresh_expires_at, services.clock())
    if services.store.connections.lose(user_id, loss.reason, tokens.refresh, loss.message):
        services.log.warning("connection_lost", user_id=user_id, reason=loss.reason)
