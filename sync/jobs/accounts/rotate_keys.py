"""Seals every stored token anew under the newest key, so that an old key can be dropped. Called by
the cli.

Works user by user, in order, each by compare-and-set: it may be interrupted and begun again at any time, beside a
running service. Plaintexts of the original system are sealed too; once none is left, none is accepted any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sync.clients.store import Store
from sync.clients.vault import SUBSCRIPTION_SECRET, Vault
from sync.errors import TokenUnreadable
from sync.model import SealedTokens

USERS_AT_ONCE = 200
_FIRST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Rotation:
    """`sealed` users and subscriptions anew; `current` already were; `unreadable`: no key opens them, those users must
    reconnect, those subscriptions need a new secret."""

    sealed: int = 0
    current: int = 0
    unreadable: int = 0

    def with_one(self, outcome: str) -> Rotation:
        return Rotation(
            self.sealed + (outcome == "sealed"),
            self.current + (outcome == "current"),
            self.unreadable + (outcome == "unreadable"),
        )


def rotate_keys(
    store: Store, vault: Vault, on_progress: Callable[[Rotation], None], *, at_once: int = USERS_AT_ONCE
) -> Rotation:
    """Goes through all users, then all subscriptions, once. `on_progress` hears after each batch.

    Raises StoreFailure.
    """
    connections, subscriptions = store.connections, store.subscriptions
    rotation = _go_through(
        lambda after: connections.read_tokens(after, at_once),
        partial(_seal_anew, store, vault),
        Rotation(),
        on_progress,
    )
    connections.end_plaintext()
    return _go_through(
        lambda after: subscriptions.read_secrets(after, at_once),
        partial(_seal_secrets_anew, store, vault),
        rotation,
        on_progress,
    )


def _go_through(
    read: Callable[[str], Sequence[tuple[Any, ...]]],
    seal_anew: Callable[..., str],
    rotation: Rotation,
    on_progress: Callable[[Rotation], None],
) -> Rotation:
    """`read` gives the rows after an id, each as what `seal_anew` takes, its id first."""
    after = _FIRST
    while batch := read(after):
        for row in batch:
            outcome = seal_anew(*row)
            if outcome == "replaced":
                # One of its tokens is new; the other may still be under an old key. Read on from here.
                break
            after, rotation = row[0], rotation.with_one(outcome)
        on_progress(rotation)
    return rotation


def _seal_secrets_anew(store: Store, vault: Vault, subscription_id: str, secret: str, previous: str | None) -> str:
    def sealed_anew(stored: str) -> str:
        return vault.seal(
            subscription_id, SUBSCRIPTION_SECRET, vault.open(subscription_id, SUBSCRIPTION_SECRET, stored)
        )

    if vault.is_current(secret) and (previous is None or vault.is_current(previous)):
        return "current"
    try:
        fresh = (sealed_anew(secret), previous and sealed_anew(previous))
    except TokenUnreadable:
        return "unreadable"
    return "sealed" if store.subscriptions.replace_secrets(subscription_id, (secret, previous), fresh) else "replaced"


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
    return "sealed" if store.connections.replace_ciphertext(user_id, tokens, new) else "replaced"
