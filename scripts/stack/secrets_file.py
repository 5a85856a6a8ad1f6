"""Owns the stack's keys: API keys, JWT signing keys, database password and the service's own development secrets.

Made at random for each stack; with a data directory they are kept in its `secrets.json`, so that tokens and
ciphertexts outlive a restart. Called by supabase.py and environment.py. Nothing here is ever used in production.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from scripts.stack.children import StackError

Algorithm = Literal["HS256", "ES256"]
KEY_LIFETIME_SECONDS = 10 * 365 * 24 * 3600


def _word(length_bytes: int = 24) -> str:
    return secrets.token_urlsafe(length_bytes)


@dataclass(frozen=True)
class Secrets:
    """Everything secret in one stack. The two legacy keys are JWTs signed with `jwt_secret`."""

    database_password: str
    jwt_secret: str
    signing_key_pem: str
    signing_key_id: str
    anon_key: str
    service_key: str
    publishable_key: str
    secret_key: str
    channel_token_secret: str
    token_encryption_key: str
    cron_secret: str

    def user_jwt(self, issuer: str, user_id: str, email: str | None, expires_in: int, algorithm: Algorithm) -> str:
        """A signed-in user's access token with the platform's claims; negative `expires_in` makes an expired one."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": user_id,
            "aud": "authenticated",
            "role": "authenticated",
            "email": email or f"{user_id}@example.com",
            "iat": now,
            "exp": now + expires_in,
            "aal": "aal1",
            "session_id": user_id,
            "is_anonymous": False,
        }
        if algorithm == "HS256":
            return jwt.encode(claims, self.jwt_secret, algorithm="HS256")
        return jwt.encode(claims, self.signing_key_pem, algorithm="ES256", headers={"kid": self.signing_key_id})

    def public_jwks(self) -> dict[str, Any]:
        """What the platform publishes: the public half of the asymmetric key, never the shared secret."""
        key = serialization.load_pem_private_key(self.signing_key_pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise StackError("secrets.json holds a signing key that is no EC key")
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return {"keys": [public | {"kid": self.signing_key_id, "alg": "ES256", "use": "sig", "key_ops": ["verify"]}]}

    def verification_jwks(self) -> str:
        """PostgREST's `jwt-secret`: the shared secret and the public key, so that it takes tokens of both kinds."""
        shared = base64.urlsafe_b64encode(self.jwt_secret.encode()).rstrip(b"=").decode()
        symmetric = {"kty": "oct", "k": shared, "alg": "HS256"}
        return json.dumps({"keys": [symmetric, *self.public_jwks()["keys"]]})


def generate() -> Secrets:
    """Fresh random secrets."""
    jwt_secret = _word(48)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Secrets(
        database_password=_word(),
        jwt_secret=jwt_secret,
        signing_key_pem=pem.decode(),
        signing_key_id=_word(12),
        anon_key=_api_key("anon", jwt_secret),
        service_key=_api_key("service_role", jwt_secret),
        publishable_key=f"sb_publishable_{_word(16)}_{secrets.token_hex(4)}",
        secret_key=f"sb_secret_{_word(16)}_{secrets.token_hex(4)}",
        channel_token_secret=_word(32),
        token_encryption_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        cron_secret=_word(32),
    )


def _api_key(role: str, jwt_secret: str) -> str:
    now = int(time.time())
    claims = {"iss": "supabase", "ref": "local", "role": role, "iat": now, "exp": now + KEY_LIFETIME_SECONDS}
    return jwt.encode(claims, jwt_secret, algorithm="HS256")


def load_or_generate(path: Path) -> Secrets:
    """The secrets kept in `path`, written there (owner only) on the first call."""
    if path.exists():
        try:
            return Secrets(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise StackError(f"{path} is not a stack's secrets file: {error}") from error
    made = generate()
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(made), file, indent=2)
    draft.replace(path)
    return made
