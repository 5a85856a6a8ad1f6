"""A user's access token: from memory, else from the row, else from Google; what Google gave is kept for all processes.

Called by every job that talks to Google for a user. Tokens leave this module only into a request's header.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.clients.cache import Cache
from sync.clients.google.oauth import GoogleOAuth
from sync.clients.store import Store
from sync.clients.vault import Vault
from sync.core.polling.purse import Lane
from sync.errors import GoogleFailure, QuotaWait, ReconnectNeeded, SyncError, TokenUnreadable
from sync.jobs.quota_in_force import QuotaInForce
from sync.model import Grant, SealedTokens

# A token this close to its end is not used any more: it must outlive the paged listing that begins with it.
SPARE = dt.timedelta(seconds=120)
# Users whose token stays in memory. More than a process serves within a token's hour.
REMEMBERED = 20_000
LOCKS = 64
# Leave to refresh, for one process at a time: longer than the token endpoint takes, and soon over if its holder dies.
REFRESH_LEASE_SECONDS = 10
# Past this the others refresh on their own: two refreshes do less harm than none.
WAIT_FOR_REFRESH_SECONDS = 12.0
WAIT_STEP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Remembered:
    token: str
    expires_at: dt.datetime
    stored_refresh_tokens: frozenset[str]


class AccessTokens:
    """Thread-safe; one per process."""

    def __init__(
        self,
        oauth: GoogleOAuth,
        vault: Vault,
        store: Store,
        clock: Callable[[], dt.datetime],
        quota: QuotaInForce,
    ) -> None:
        self.quota = quota
        self._oauth = oauth
        self._vault = vault
        self._store = store
        self._clock = clock
        # Each to its own end, and never for longer.
        self._memory: Cache[str, _Remembered] = Cache(
            "access_tokens", REMEMBERED, ends=lambda found, _now: found.expires_at - SPARE, clock=clock
        )
        # Striped: two threads of one user do not refresh at once, and no lock is kept per user.
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def of(
        self, user_id: str, sealed: SealedTokens, lane: Lane, pause: Callable[[QuotaWait], None] | None = None
    ) -> UserAccess:
        """A user's way in, for the length of one job. `pause`: what to do when the quota gives nothing and something
        was asked already; without it the job ends there."""
        return UserAccess(self, user_id, sealed, lane, pause)

    def seal(self, user_id: str, refresh_token: str, grant: Grant) -> SealedTokens:
        """A new grant as it is stored."""
        return SealedTokens(
            access=self._vault.seal(user_id, "access", grant.access_token),
            access_expires_at=grant.expires_at,
            refresh=self._vault.seal(user_id, "refresh", grant.refresh_token or refresh_token),
            refresh_expires_at=(
                self._clock() + dt.timedelta(seconds=grant.refresh_token_expires_in)
                if grant.refresh_token_expires_in
                else None
            ),
        )

    def forget(self, user_id: str) -> None:
        """This process remembers no token of the user any more."""
        self._memory.forget(user_id)

    def grant_of(self, refresh_token: str) -> Grant:
        """Tries a refresh token that is not stored yet."""
        return self._oauth.refresh(refresh_token)

    def token(self, user_id: str, sealed: SealedTokens, refused: str | None) -> str:
        """A token good for SPARE at least, and not the `refused` one. Raises what `GoogleOAuth.refresh` raises."""
        if not sealed.refresh:
            raise ReconnectNeeded("no_refresh_token")
        with self._locks[hash(user_id) % LOCKS]:
            known = self._remembered(user_id, sealed.refresh) or self._stored(user_id, sealed)
            if known and known.token != refused:
                return known.token
            return self._refresh_in_turn(user_id, sealed, sealed.refresh, refused)

    def _remembered(self, user_id: str, stored_refresh: str) -> _Remembered | None:
        # A reconnection stores another refresh token: what the old one gave may belong to another Google account.
        return self._memory.get(user_id, lambda found: stored_refresh in found.stored_refresh_tokens)

    def _stored(self, user_id: str, sealed: SealedTokens) -> _Remembered | None:
        if not sealed.access or not sealed.refresh or not sealed.access_expires_at:
            return None
        if not self._lasts(sealed.access_expires_at):
            return None
        try:
            token = self._vault.open(user_id, "access", sealed.access)
        except TokenUnreadable:
            # Its key was dropped. The refresh token brings another one, if it can be read.
            return None
        found = _Remembered(token, sealed.access_expires_at, frozenset({sealed.refresh}))
        self._remember(user_id, found)
        return found

    def _refresh_in_turn(self, user_id: str, sealed: SealedTokens, stored_refresh: str, refused: str | None) -> str:
        """Refreshes unless another process has just done so, or is at it: then its token serves us too."""
        self._oauth.refuse_while_down()
        seen, deadline = sealed.access, time.monotonic() + WAIT_FOR_REFRESH_SECONDS
        while time.monotonic() < deadline:
            may_refresh, brought = self._store.connections.begin_refresh(
                user_id, stored_refresh, seen, REFRESH_LEASE_SECONDS
            )
            if may_refresh:
                # What the row holds now: another process may have been given a new refresh token meanwhile.
                try:
                    return self._refresh(user_id, brought.refresh or stored_refresh)
                except SyncError:
                    self._store.connections.release_refresh(user_id)
                    raise
            if brought.access is None:
                time.sleep(WAIT_STEP_SECONDS)
                continue
            known = self._stored(user_id, brought)
            if known and known.token != refused:
                return known.token
            seen = brought.access
        return self._refresh(user_id, stored_refresh)

    def _refresh(self, user_id: str, stored_refresh: str) -> str:
        plain = self._vault.open(user_id, "refresh", stored_refresh)
        grant = self._oauth.refresh(plain)
        replaced = None
        if grant.refresh_token or not self._vault.is_current(stored_refresh):
            replaced = self._vault.seal(user_id, "refresh", grant.refresh_token or plain)
        # Stored before it is used: a rotated refresh token that only this process knew would die with it.
        self._store.connections.save_tokens(
            user_id,
            stored_refresh,
            SealedTokens(self._vault.seal(user_id, "access", grant.access_token), grant.expires_at, replaced),
            self._oauth.client_id,
        )
        self._remember(
            user_id,
            _Remembered(grant.access_token, grant.expires_at, frozenset(filter(None, (stored_refresh, replaced)))),
        )
        return grant.access_token

    def _remember(self, user_id: str, found: _Remembered) -> None:
        self._memory.put(user_id, found)

    def _lasts(self, expires_at: dt.datetime) -> bool:
        return expires_at - self._clock() > SPARE


class UserAccess:
    """`clients.google.calendar.Access` for one user. `requests` counts what was sent with its tokens: each asks for
    one, and for leave to be made."""

    def __init__(
        self,
        tokens: AccessTokens,
        user_id: str,
        sealed: SealedTokens,
        lane: Lane,
        pause: Callable[[QuotaWait], None] | None,
    ) -> None:
        self._tokens = tokens
        self._user_id = user_id
        self._sealed = sealed
        self.lane = lane
        self._pause = pause
        self._last: str | None = None
        self.requests = 0
        self.is_waited_for = lane is Lane.PERSON

    def token(self, *, fresh: bool = False) -> str:
        self._last = self._tokens.token(self._user_id, self._sealed, self._last if fresh else None)
        self._take()
        self.requests += 1
        return self._last

    def answered(self, failure: GoogleFailure | None) -> None:
        self._tokens.quota.answered(self.lane, self._user_id, failure)

    def _take(self) -> None:
        while True:
            try:
                return self._tokens.quota.take(self.lane, self._user_id)
            except QuotaWait as wait:
                if self._pause is None or not self.requests:
                    raise
                self._pause(wait)
