"""Supabase users' JWTs: verified with the project's JWKS, or with the legacy shared secret. Called by `web/auth`.

The algorithm is pinned by the kind of key: a token signed with HMAC is checked with the secret alone, one with a
public key with the JWKS alone. PyJWT caches the key set; only an unknown key id asks for it again.
"""

from __future__ import annotations

import jwt

from sync.errors import SyncError

AUDIENCE = "authenticated"
HMAC_ALGORITHMS = ["HS256"]
PUBLIC_KEY_ALGORITHMS = ["ES256", "RS256", "EdDSA"]
# Clocks of two hosts may differ by this much.
LEEWAY_SECONDS = 30
KEY_SET_SECONDS = 600


class UserTokenInvalid(SyncError):
    """The JWT is no valid sign-in of this project. `code` says why, in one word."""


class UserTokens:
    """Thread-safe; one per process."""

    def __init__(self, supabase_url: str, jwt_secret: str | None) -> None:
        self._secret = jwt_secret
        self._issuers = [f"{supabase_url}/auth/v1", "supabase"]
        self._keys = jwt.PyJWKClient(
            f"{supabase_url}/auth/v1/.well-known/jwks.json", lifespan=KEY_SET_SECONDS, timeout=5
        )

    def user_id(self, token: str) -> str:
        """The id of the user who signed in. Raises UserTokenInvalid."""
        try:
            algorithm = jwt.get_unverified_header(token).get("alg")
            if algorithm in HMAC_ALGORITHMS:
                claims = self._check(token, self._secret_key(), HMAC_ALGORITHMS)
            elif algorithm in PUBLIC_KEY_ALGORITHMS:
                claims = self._check(token, self._keys.get_signing_key_from_jwt(token).key, PUBLIC_KEY_ALGORITHMS)
            else:
                raise UserTokenInvalid("algorithm")
        except jwt.PyJWTError as invalid:
            raise UserTokenInvalid(type(invalid).__name__) from None
        issuer = claims.get("iss")
        if issuer is not None and issuer not in self._issuers:
            raise UserTokenInvalid("issuer")
        if claims.get("role", AUDIENCE) != AUDIENCE:
            raise UserTokenInvalid("role")
        return str(claims["sub"])

    def _secret_key(self) -> str:
        if not self._secret:
            raise UserTokenInvalid("no_shared_secret")
        return self._secret

    def _check(self, token: str, key: object, algorithms: list[str]) -> dict[str, object]:
        return jwt.decode(
            token,
            key,  # type: ignore[arg-type]
            algorithms=algorithms,
            audience=AUDIENCE,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "sub", "aud"]},
        )
