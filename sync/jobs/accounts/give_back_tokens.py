"""Writes every stored token back in the clear, for the original system's code: the way back from an adoption. Called by
the cli.

Works user by user, by compare-and-set, so it may be interrupted and begun again. The service must not run meanwhile: it
seals whatever it uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync.clients.store import Store
from sync.clients.vault import Vault
from sync.errors import TokenUnreadable
from sync.model import SealedTokens

USERS_AT_ONCE = 200
_FIRST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Users whose tokens are `in_the_clear` now, and those whose tokens no key opens: they must connect again."""

    in_the_clear: int = 0
    unreadable: int = 0


def give_back_tokens(store: Store, vault: Vault, on_progress: Callable[[GivenBack], None]) -> GivenBack:
    """Goes through all users once. `on_progress` hears after each batch. Raises StoreFailure."""
    after, done = _FIRST, GivenBack()
    while batch := store.connections.read_tokens(after, USERS_AT_ONCE):
        for user_id, tokens in batch:
            is_given = _give_back(store, vault, user_id, tokens)
            done = GivenBack(done.in_the_clear + is_given, done.unreadable + (not is_given))
        after = batch[-1][0]
        on_progress(done)
    return done


def _give_back(store: Store, vault: Vault, user_id: str, tokens: SealedTokens) -> bool:
    try:
        access = vault.open(user_id, "access", tokens.access) if tokens.access else None
        refresh = vault.open(user_id, "refresh", tokens.refresh) if tokens.refresh else None
    except TokenUnreadable:
        return False
    return store.connections.replace_ciphertext(user_id, tokens, SealedTokens(access, None, refresh))
