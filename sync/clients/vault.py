"""Tokens at rest: AES-256-GCM, bound to the user and the kind of token, under rotating keys.

Owns the ciphertext's form: "v1." + URL-safe base64 of key id (4 bytes), nonce (12), ciphertext. A value without the
mark is a plaintext of the original system: it opens as itself, and is sealed when it is next saved; so is what an older
key sealed, so that a rotated key can be dropped once every token was refreshed. Called by `jobs/access_tokens`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sync.errors import TokenUnreadable

_MARK = "v1."
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12


class Vault:
    """Seals with the first key, opens with any. Keys are 32 bytes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._current = _key_id(keys[0])
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}

    def seal(self, user_id: str, kind: str, token: str) -> str:
        """Ciphertext that opens only for the same user and kind ("access" or "refresh")."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, token.encode(), _bound_to(user_id, kind))
        return _MARK + base64.urlsafe_b64encode(self._current + nonce + sealed).decode()

    def is_current(self, stored: str) -> bool:
        """False for a plaintext of the original system, and for what an older key sealed: seal it anew."""
        try:
            raw = base64.urlsafe_b64decode(stored.removeprefix(_MARK)) if stored.startswith(_MARK) else b""
        except (binascii.Error, ValueError):
            return False
        return raw[:_KEY_ID_BYTES] == self._current

    def open(self, user_id: str, kind: str, stored: str) -> str:
        """The token. Raises TokenUnreadable if no key fits or the ciphertext belongs to another row."""
        if not stored.startswith(_MARK):
            return stored
        try:
            raw = base64.urlsafe_b64decode(stored[len(_MARK) :])
        except (binascii.Error, ValueError):
            raise TokenUnreadable("token_damaged", "the stored token is not base64") from None
        if len(raw) < _KEY_ID_BYTES + _NONCE_BYTES:
            raise TokenUnreadable("token_damaged", "the stored token is cut short")
        key_id, rest = raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise TokenUnreadable("token_key_missing", "add the key it was sealed with to TOKEN_ENCRYPTION_KEYS")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound_to(user_id, kind)).decode()
        except InvalidTag:
            raise TokenUnreadable("token_not_this_users", "the stored token was sealed for another row") from None


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key id" + key).digest()[:_KEY_ID_BYTES]


def _bound_to(user_id: str, kind: str) -> bytes:
    return f"{kind}:{user_id.lower()}".encode()
