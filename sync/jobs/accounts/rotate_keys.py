"""Seals every stored token anew under the newest key, so that an old key can be dropped. Called by
`scripts/rotate_keys`.

Works user by user, in order, each by compare-and-set: it may be interrupted and begun again at any time, beside a
running
service. Plaintexts of the original system are sealed too; once none is left, none is accepted any more.
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
class Rotation:
    """`sealed` users anew; `current` already were; `unreadable`: no key opens them, those users must reconnect."""

    sealed: int = 0
    current: int = 0
    unreadable: int = 0


def rotate_keys(store: Store, vault: Vault, on_progress: Callable[[Rotation], None]) -> Rotation:
    """Goes through all users once. `on_progress` hears after each batch. Raises StoreFailure."""
    after, rotation = _FIRST, Rotation()
    while batch := store.connections.read_tokens(after, USERS_AT_ONCE):
        for user_id, tokens in batch:
            outcome = _seal_anew(store, vault, user_id, tokens)
            rotation = Rotation(
                rotation.sealed + (outcome == "sealed"),
                rotation.current + (outcome == "current"),
                rotation.unreadable + (outcome == "unreadable"),
            )
        after = batch[-1][0]
        on_progress(rotation)
    store.connections.end_plaintext()
    return rotation


def _seal_anew(store: Store, vault: Vault, user_id: str, tokens: SealedTokens) -> str:
    stored = {"access": tokens.access, "refresh": tokens.refresh}
    if all(vault.is_current(token) for token in stored.values() if token):
        return "current"
    try:
        fresh = {
            kind: vault.seal(user_id, kind, vault.open(user_id, kind, token)) for kind, token in stored.items() if token
        }
    except TokenUnreadable:
        return "unreadable"
    new = SealedTokens(fresh.get("access"), None, fresh.get("refresh"))
    # Replaced meanwhile: whoever did so sealed with the newest key.
    return "sealed" if store.connections.replace_ciphertext(user_id, tokens, new) else "current"
