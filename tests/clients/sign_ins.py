"""Signing keys of a project, made on the spot, their published form, and sign-ins made with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

USER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
SECRET = "a-shared-secret-of-forty-characters-0001"


@dataclass
class SigningKey:
    """A key pair that signs with `algorithm` under `key_id`."""

    algorithm: str
    key_id: str
    private: Any
    published: dict[str, Any]

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, algorithm=self.algorithm, headers={"kid": self.key_id, **header})


def signing_key(algorithm: str, key_id: str) -> SigningKey:
    makers: dict[str, Callable[[], tuple[Any, Any]]] = {
        "ES256": lambda: (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
        "ES384": lambda: (ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
        "RS256": lambda: (rsa.generate_private_key(public_exponent=65537, key_size=2048), RSAAlgorithm),
        "EdDSA": lambda: (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm),
    }
    private, kind = makers[algorithm]()
    published = kind.to_jwk(private.public_key(), as_dict=True)
    return SigningKey(algorithm, key_id, private, {**published, "kid": key_id, "alg": algorithm, "use": "sig"})


def key_set(*keys: SigningKey, also: tuple[dict[str, Any], ...] = ()) -> bytes:
    return json.dumps({"keys": [*(key.published for key in keys), *also]}).encode()


def sign_in(issuer: str, **changes: Any) -> dict[str, Any]:
    """The claims Supabase Auth gives a signed-in user; None takes one away."""
    now = int(time.time())
    good = {
        "iss": issuer,
        "sub": USER,
        "aud": "authenticated",
        "role": "authenticated",
        "is_anonymous": False,
        "aal": "aal1",
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}
