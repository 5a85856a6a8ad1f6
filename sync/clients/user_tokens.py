"""Supabase users' JWTs: verified with the project's JWKS, or with the legacy shared secret. Called by `web/doors/auth`.

The algorithm is pinned by the kind of key: a token signed with HMAC is checked with the secret alone, one with a
public key with the key it names, for that key's own algorithm. What must hold beside the signature: issued by this
project's Auth, for signed-in users, to somebody who is one (anonymous sign-ins have no Google account to connect), and
not expired.
"""

from __future__ import annotations

from typing import Any

import jwt

from sync.clients.breakers import Breakers
from sync.clients.user_keys import UserKeys
from sync.errors import SyncError

AUDIENCE = "authenticated"
ROLE = "authenticated"
REQUIRED = ["exp", "sub", "aud", "role"]
HMAC_ALGORITHM = "HS256"
LEGACY_ISSUER = "supabase"
PUBLIC_KEY_ALGORITHMS = frozenset({"ES256", "RS256", "EdDSA"})
# Supabase's are below 2 KB, with large app_metadata; nothing longer is parsed.
MAX_TOKEN_LENGTH = 8192
# Clocks of two hosts may differ by this much.
LEEWAY_SECONDS = 30


class UserTokenInvalid(SyncError):
    """The JWT is no valid sign-in of this project. `code` says why, in one word."""


class UserTokenExpired(UserTokenInvalid):
    """It was one: the signature is good, and its time is over."""


class UserTokens:
    """Thread-safe; one per process."""

    def __init__(
        self,
        supabase_url: str,
        jwt_secret: str | None,
        keys: UserKeys | None = None,
        *,
        breakers: Breakers | None = None,
    ) -> None:
        self._secret = jwt_secret
        self._issuer = f"{supabase_url}/auth/v1"
        self._keys = keys or UserKeys(f"{self._issuer}/.well-known/jwks.json", breakers=breakers)

    def user_id(self, token: str) -> str:
        """The id of the user who signed in. Raises UserTokenInvalid, KeysUnavailable."""
        return self.signed_in(token)[0]

    def signed_in(self, token: str) -> tuple[str, str | None]:
        """The id, and the e-mail address if the token names one. Raises as above."""
        try:
            claims = self._claims(token)
        except jwt.ExpiredSignatureError:
            raise UserTokenExpired("expired") from None
        # ValueError: numbers and texts that PyJWT's own checks do not expect.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as invalid:
            raise UserTokenInvalid(type(invalid).__name__) from None
        if claims.get("role") != ROLE:
            raise UserTokenInvalid("role")
        if claims.get("is_anonymous"):
            raise UserTokenInvalid("anonymous")
        email = claims.get("email")
        return str(claims["sub"]), email if isinstance(email, str) and email else None

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise UserTokenInvalid("length")
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm == HMAC_ALGORITHM:
            if not self._secret:
                raise UserTokenInvalid("no_shared_secret")
            claims = self._check(token, self._secret, HMAC_ALGORITHM, REQUIRED)
            # Backends that mint tokens with the shared secret name no issuer, or the one of the legacy keys.
            if claims.get("iss", self._issuer) not in (self._issuer, LEGACY_ISSUER):
                raise UserTokenInvalid("InvalidIssuerError")
            return claims
        key_id = header.get("kid")
        if algorithm not in PUBLIC_KEY_ALGORITHMS or not isinstance(key_id, str):
            raise UserTokenInvalid("algorithm")
        key = self._keys.find(key_id)
        if key is None:
            raise UserTokenInvalid("unknown_key")
        claims = self._check(token, key, key.algorithm_name, [*REQUIRED, "iss"])
        if claims["iss"] != self._issuer:
            raise UserTokenInvalid("InvalidIssuerError")
        return claims

    def _check(self, token: str, key: jwt.PyJWK | str, algorithm: str, required: list[str]) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=AUDIENCE,
            leeway=LEEWAY_SECONDS,
            options={"require": required},
        )
        return claims
