"""Probes of our own doors: known by their proof, for a minute."""

from __future__ import annotations

import pytest

from sync.core.accounts.channel_token import channel_token, is_channel_token
from sync.core.accounts.ingress_probe import is_answer, is_probe, make_probe, probe_answer, probe_proof

OLD, NEW = "old-secret", "new-secret"
AT = 1_800_000_000.5
PROBE = make_probe("eu", AT, "0" * 32)
PROOF = probe_proof(NEW, PROBE)


def test_a_probe_is_known_for_a_minute_by_any_of_the_secrets() -> None:
    assert is_probe([NEW, OLD], PROBE, PROOF, AT + 59)
    assert is_probe([NEW, OLD], PROBE, PROOF, AT - 59)
    assert is_probe([NEW, OLD], PROBE, probe_proof(OLD, PROBE), AT)


@pytest.mark.parametrize(
    ("probe", "proof", "at"),
    [
        (PROBE, PROOF, AT + 61),
        (PROBE, PROOF, AT - 61),
        (PROBE.replace("eu", "us"), PROOF, AT),
        (PROBE, PROOF[:-1], AT),
        (PROBE, "é", AT),
        (PROBE, "", AT),
        (PROBE, probe_answer(NEW, PROBE), AT),
        (PROBE, channel_token(NEW, PROBE), AT),
        ("", probe_proof(NEW, ""), AT),
        ("eu.x.y", probe_proof(NEW, "eu.x.y"), AT),
        (PROBE, probe_proof("guessed", PROBE), AT),
    ],
)
def test_whatever_else_is_none(probe: str, proof: str, at: float) -> None:
    assert not is_probe([NEW, OLD], probe, proof, at)


def test_a_proof_is_no_channels_token() -> None:
    assert not is_channel_token([NEW], PROBE, PROOF)
    assert not is_channel_token([NEW], PROBE, probe_answer(NEW, PROBE))


def test_an_answer_is_of_its_probe_alone() -> None:
    assert is_answer(NEW, PROBE, probe_answer(NEW, PROBE))
    assert not is_answer(NEW, PROBE, probe_answer(NEW, make_probe("eu", AT, "1" * 32)))
    assert not is_answer(NEW, PROBE, PROOF)
    assert not is_answer(NEW, PROBE, "")


def test_a_name_that_fits_no_header_is_not_named() -> None:
    assert make_probe("eu west.1", AT, "0" * 32).startswith("region.")
