"""Tokens at rest."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sync.clients.vault import Vault
from sync.errors import TokenUnreadable

OLD, NEW = b"o" * 32, b"n" * 32
ALICE, BOB = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"


def test_a_sealed_token_opens_for_its_user_and_kind_only() -> None:
    vault = Vault([NEW])
    sealed = vault.seal(ALICE, "refresh", "1//token")

    assert vault.open(ALICE, "refresh", sealed) == "1//token"
    assert vault.open(ALICE.upper(), "refresh", sealed) == "1//token"
    for user, kind in ((BOB, "refresh"), (ALICE, "access")):
        with pytest.raises(TokenUnreadable, match="token_not_this_users"):
            vault.open(user, kind, sealed)


def test_the_same_token_never_looks_the_same() -> None:
    vault = Vault([NEW])

    assert vault.seal(ALICE, "refresh", "1//token") != vault.seal(ALICE, "refresh", "1//token")
    assert "token" not in vault.seal(ALICE, "refresh", "1//token")


def test_older_keys_open_and_the_first_seals() -> None:
    sealed = Vault([OLD]).seal(ALICE, "refresh", "1//token")
    both = Vault([NEW, OLD])

    assert both.open(ALICE, "refresh", sealed) == "1//token"
    assert not both.is_current(sealed)
    assert both.is_current(both.seal(ALICE, "refresh", "1//token"))
    with pytest.raises(TokenUnreadable, match="token_key_missing"):
        Vault([NEW]).open(ALICE, "refresh", sealed)


def test_a_plaintext_of_the_original_system_opens_as_itself_while_those_are_accepted() -> None:
    answers = iter([True, False])
    vault = Vault([NEW], lambda: next(answers))

    assert vault.open(ALICE, "refresh", "1//plain") == "1//plain"
    assert not vault.is_current("1//plain")
    for _ in range(3):
        with pytest.raises(TokenUnreadable, match="token_not_sealed"):
            vault.open(ALICE, "refresh", "1//plain")
    with pytest.raises(TokenUnreadable, match="token_not_sealed"):
        Vault([NEW]).open(ALICE, "refresh", "1//plain")


def test_the_former_form_opens_for_its_user_and_is_not_current() -> None:
    nonce, key_id = b"n" * 12, hashlib.sha256(b"key id" + NEW).digest()[:4]
    raw = key_id + nonce + AESGCM(NEW).encrypt(nonce, b"1//token", f"refresh:{ALICE}".encode())
    former = "v1." + base64.urlsafe_b64encode(raw).decode()
    vault = Vault([NEW])

    assert vault.open(ALICE, "refresh", former) == "1//token"
    assert not vault.is_current(former)
    for user_id, stored in ((BOB, former), (ALICE, former.replace("v1.", "v2."))):
        with pytest.raises(TokenUnreadable, match="token_not_this_users"):
            vault.open(user_id, "refresh", stored)


def test_no_two_users_tokens_are_sealed_under_one_key() -> None:
    sealed = base64.urlsafe_b64decode(Vault([NEW]).seal(ALICE, "refresh", "1//token")[3:])

    with pytest.raises(InvalidTag):
        AESGCM(NEW).decrypt(sealed[4:16], sealed[16:], f"refresh:{ALICE}".encode())


@pytest.mark.parametrize("cut", [0, 3, 4, 10, 16, 20])
def test_a_damaged_ciphertext_is_unreadable_and_nothing_worse(cut: int) -> None:
    vault = Vault([NEW])
    raw = base64.urlsafe_b64decode(vault.seal(ALICE, "refresh", "1//token")[3:])
    damaged = "v2." + base64.urlsafe_b64encode(raw[:cut]).decode()

    with pytest.raises(TokenUnreadable):
        vault.open(ALICE, "refresh", damaged)
    with pytest.raises(TokenUnreadable):
        vault.open(ALICE, "refresh", "v2.not base64 at all!")


def test_a_flipped_bit_is_noticed() -> None:
    vault = Vault([NEW])
    raw = bytearray(base64.urlsafe_b64decode(vault.seal(ALICE, "refresh", "1//token")[3:]))
    raw[-1] ^= 1

    with pytest.raises(TokenUnreadable, match="token_not_this_users") as caught:
        vault.open(ALICE, "refresh", "v2." + base64.urlsafe_b64encode(bytes(raw)).decode())
    assert "1//token" not in str(caught.value)
