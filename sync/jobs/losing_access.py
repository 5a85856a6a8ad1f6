"""A grant that Google refuses: asked again before it counts as dead; then named for the user, recorded once, everything
of theirs paused. Called where a job ends in it."""

from __future__ import annotations

from sync.core.accounts.connection_loss import name_loss
from sync.core.polling.failure_policy import CONFIRM_SECONDS
from sync.errors import GrantRefused, ReconnectNeeded
from sync.jobs.services import Services
from sync.model import SealedTokens
from sync.states import Standing

OTHER_CLIENT = "other_oauth_client"


def record_refusal(services: Services, user_id: str, tokens: SealedTokens, failure: ReconnectNeeded) -> Standing:
    """Marks the connection as suspected or lost, unless the user has reconnected since `tokens` were read; tells them
    when it is lost, and once.

    What the token endpoint refused must be refused twice. A missing scope or token is a fact. Raises StoreFailure.
    """
    if isinstance(failure, GrantRefused):
        standing = services.store.connections.suspect(
            user_id, tokens.refresh, services.settings.google_client_id, CONFIRM_SECONDS
        )
        if standing is Standing.OTHER_CLIENT:
            services.operator_faults.note(OTHER_CLIENT)
        if standing is not Standing.CONFIRMED:
            services.log.info("grant_refused", user_id=user_id, reason=failure.code, standing=standing)
            return standing
    loss = name_loss(failure.code, tokens.connected_at, tokens.refresh_expires_at, services.clock())
    if services.store.connections.lose(user_id, loss.reason, tokens.refresh, loss.message):
        services.log.warning("connection_lost", user_id=user_id, reason=loss.reason)
    return Standing.CONFIRMED
