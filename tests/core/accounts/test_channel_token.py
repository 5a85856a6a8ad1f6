"""Channel tokens: made for one channel with one secret, and good for nothing else."""

from __future__ import annotations

import pytest

from sync.core.accounts.channel_token import channel_token, is_channel_token

SECRET, OLD_SECRET, FOREIGN = "s" * 32, "o" * 32, "f" * 32
CHANNEL = "0b5c7f4e-0000-4000-8000-000000000001"


def test_a_token_is_the_hmac_of_the_channel_id() -> None:
    # Computed with: printf %s "$CHANNEL" | openssl dgst -sha256 -hmac "$SECRET"
    assert channel_token(SECRET, CHANNEL) == "831aa101b112f11e0400f2240304d898752b945e0bd01bcebb79c3e044a30df2"


@pytest.mark.parametrize(
    ("token", "known"),
    [
        (channel_token(SECRET, CHANNEL), True),
        (channel_token(OLD_SECRET, CHANNEL), True),
        (channel_token(FOREIGN, CHANNEL), False),
        (channel_token(SECRET, CHANNEL[:-1] + "2"), False),
        (channel_token(SECRET, CHANNEL)[:-1], False),
        (channel_token(SECRET, CHANNEL) + "0", False),
        (channel_token(SECRET, CHANNEL).upper(), False),
        (SECRET, False),
        ("", False),
        ("…ÿ\udcff", False),
    ],
)
def test_only_tokens_of_our_secrets_for_this_channel_are_known(token: str, known: bool) -> None:
    assert is_channel_token((SECRET, OLD_SECRET), CHANNEL, token) is known


def test_without_secrets_no_token_is_known() -> None:
    assert is_channel_token((), CHANNEL, channel_token(SECRET, CHANNEL)) is False


def test_a_token_fits_googles_limit() -> None:
    assert len(channel_token(SECRET, "c" * 64)) <= 256
