"""Tokens at rest: AES-256-GCM, bound to the user and the kind of token, under rotating keys.

Owns the ciphertext's form: "v2." + URL-safe base64 of key id (4 bytes), nonce (12), ciphertext, under a key of the
user's own (HKDF): random nonces under one key for everybody's tokens would be safe for 2^32 of them only. "v1." was
under the configured key itself; it opens, and is sealed anew when it is next saved, as is what an older key sealed, so
that a rotated key can be dropped once every token was refreshed. A value without a mark is a plaintext of the original
system, which opens as itself while those are accepted. Called by `jobs/access_tokens`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync.errors import TokenUnreadable

# What a subscription's secret is sealed as, for the subscription's id.
SUBSCRIPTION_SECRET = "webhook_secret"  # noqa: S105
_MARK = "v2."
_FORMER_MARK = "v1."
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12


class Vault:
    """Seals with the first key, opens with any. Keys are 32 bytes. `accepts_plaintext` is asked when one is met; once
    it has said no, it is not asked again."""

    def __init__(self, keys: Sequence[bytes], accepts_plaintext: Callable[[], bool] = lambda: False) -> None:
        self._current = _key_id(keys[0])
        self._keys = {_key_id(key): key for key in keys}
        self._accepts_plaintext = accepts_plaintext
        self._is_plaintext_over = False

    @property
    def key_ids(self) -> frozenset[str]:
        """Of the keys there are, in hex: what a ciphertext begins with, and nothing that opens one."""
        return frozenset(key_id.hex() for key_id in self._keys)

    def seal(self, user_id: str, kind: str, token: str) -> str:
        """Ciphertext that opens only for the same user (or subscription) and kind ("access", "refresh",
        SUBSCRIPTION_SECRET)."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = _cipher_of(self._keys[self._current], user_id).encrypt(nonce, token.encode(), _bound_to(user_id, kind))
        return _MARK + base64.urlsafe_b64encode(self._current + nonce + sealed).decode()

    def is_current(self, stored: str) -> bool:
        """False for a plaintext of the original system, the former form, and what an older key sealed: seal it anew."""
        try:
            raw = base64.urlsafe_b64decode(stored.removeprefix(_MARK)) if stored.startswith(_MARK) else b""
        except (binascii.Error, ValueError):
            return False
        return raw[:_KEY_ID_BYTES] == self._current

    def open(self, user_id: str, kind: str, stored: str) -> str:
        """The token. Raises TokenUnreadable if no key fits, the ciphertext belongs to another row, or it is a plaintext
        and those are over; what `accepts_plaintext` raises."""
        if not stored.startswith((_MARK, _FORMER_MARK)):
            return self._plaintext(stored)
        try:
            raw = base64.urlsafe_b64decode(stored[len(_MARK) :])
        except (binascii.Error, ValueError):
            raise TokenUnreadable("token_damaged", "the stored token is not base64") from None
        if len(raw) < _KEY_ID_BYTES + _NONCE_BYTES:
            raise TokenUnreadable("token_damaged", "the stored token is cut short")
        key_id, rest = raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:]
        key = self._keys.get(key_id)
        if key is None:
            raise TokenUnreadable("token_key_missing", "add the key it was sealed with to TOKEN_ENCRYPTION_KEYS")
        cipher = _cipher_of(key, user_id) if stored.startswith(_MARK) else AESGCM(key)
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound_to(user_id, kind)).decode()
        except InvalidTag:
            raise TokenUnreadable("token_not_this_users", "the stored token was sealed for another row") from None

    def _plaintext(self, stored: str) -> str:
        self._is_plaintext_over = self._is_plaintext_over or not self._accepts_plaintext()
        if self._is_plaintext_over:
            raise TokenUnreadable("token_not_sealed", "plaintexts of the original system are not accepted any more")
        return stored


def _cipher_of(key: bytes, user_id: str) -> AESGCM:
    """A key of the user's own, which nobody has without the configured one."""
    info = b"oauth tokens v2:" + user_id.lower().encode()
    return AESGCM(HKDF(hashes.SHA256(), 32, None, info).derive(key))


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key id" + key).digest()[:_KEY_ID_BYTES]


def _bound_to(user_id: str, kind: str) -> bytes:
    return f"{kind}:{user_id.lower()}".encode()
