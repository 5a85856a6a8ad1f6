"""Supabase users' JWTs: only a sign-in of this project, by a person, for now, signed with a key it publishes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync.clients.user_keys import KeysUnavailable, UserKeys
from sync.clients.user_tokens import UserTokenExpired, UserTokenInvalid, UserTokens
from tests.clients.google.answering import Answers, answering
from tests.clients.sign_ins import SECRET, USER, SigningKey, key_set, sign_in, signing_key

# A project whose published keys cannot be reached.
NO_KEYS = UserTokens("http://127.0.0.1:1", SECRET)
KEYS = {algorithm: signing_key(algorithm, f"key-{algorithm}") for algorithm in ("ES256", "RS256", "EdDSA")}


@pytest.fixture(scope="module")
def project() -> Iterator[Answers]:
    """Publishes the keys as Supabase Auth does."""
    with answering() as answers:
        answers.body = key_set(*KEYS.values())
        yield answers


@pytest.fixture
def issuer(project: Answers) -> str:
    return f"{project.url}/auth/v1"


@pytest.fixture
def tokens(project: Answers) -> UserTokens:
    project.requests = 0
    return UserTokens(project.url, SECRET)


def by_secret(claims: dict[str, Any], **more: Any) -> str:
    return jwt.encode(claims, SECRET, algorithm="HS256", **more)


def raw_token(header: Any, payload: Any, signature: bytes = b"") -> str:
    def part(content: Any) -> str:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    return f"{part(header)}.{part(payload)}.{part(signature)}"


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_sign_in_by_a_published_key_is_good(tokens: UserTokens, issuer: str, key: SigningKey) -> None:
    assert tokens.user_id(key.sign(sign_in(issuer))) == USER


def test_a_sign_in_by_the_shared_secret_is_good_and_asks_nobody(
    tokens: UserTokens, issuer: str, project: Answers
) -> None:
    assert tokens.user_id(by_secret(sign_in(issuer))) == USER
    assert project.requests == 0


def test_the_keys_are_asked_for_once_and_only_by_the_first_of_many(
    tokens: UserTokens, issuer: str, project: Answers
) -> None:
    for key in KEYS.values():
        for _ in range(5):
            tokens.user_id(key.sign(sign_in(issuer)))

    assert project.requests == 1


def test_clocks_may_differ_by_half_a_minute(tokens: UserTokens, issuer: str) -> None:
    now = int(time.time())

    assert tokens.user_id(by_secret(sign_in(issuer, exp=now - 20, iat=now - 600))) == USER
    assert tokens.user_id(by_secret(sign_in(issuer, iat=now + 20, exp=now + 600))) == USER


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "somebody-else"}, "InvalidAudienceError"),
        ({"aud": ["somebody-else"]}, "InvalidAudienceError"),
        ({"aud": None}, "MissingRequiredClaimError"),
        ({"iss": ""}, "InvalidIssuerError"),
        ({"iss": "https://another-project.supabase.co/auth/v1"}, "InvalidIssuerError"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"sub": None}, "MissingRequiredClaimError"),
        ({"role": None}, "MissingRequiredClaimError"),
        ({"role": "anon"}, "role"),
        ({"role": "service_role"}, "role"),
        ({"role": ["authenticated"]}, "role"),
        ({"is_anonymous": True}, "anonymous"),
        ({"is_anonymous": "false"}, "anonymous"),
        ({"nbf": 99_999_999_999}, "ImmatureSignatureError"),
    ],
)
@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_a_signed_claim_that_is_not_a_sign_in_of_this_project_is_refused(
    tokens: UserTokens, issuer: str, algorithm: str, changes: dict[str, Any], why: str
) -> None:
    claims = sign_in(issuer, **changes)
    token = by_secret(claims) if algorithm == "HS256" else KEYS[algorithm].sign(claims)

    with pytest.raises(UserTokenInvalid) as refused:
        tokens.user_id(token)
    assert refused.value.code == why


@pytest.mark.parametrize("issuer_claim", [None, "supabase"])
def test_only_tokens_of_the_shared_secret_may_leave_their_issuer_out(
    tokens: UserTokens, issuer: str, issuer_claim: str | None
) -> None:
    claims = sign_in(issuer, iss=issuer_claim)

    assert tokens.user_id(by_secret(claims)) == USER
    with pytest.raises(UserTokenInvalid):
        tokens.user_id(KEYS["ES256"].sign(claims))


def test_an_expired_sign_in_is_told_from_a_forged_one(tokens: UserTokens, issuer: str) -> None:
    old = sign_in(issuer, exp=int(time.time()) - 3600)

    with pytest.raises(UserTokenExpired):
        tokens.user_id(KEYS["ES256"].sign(old))
    with pytest.raises(UserTokenInvalid) as forged:
        tokens.user_id(signing_key("ES256", "key-ES256").sign(old))
    assert not isinstance(forged.value, UserTokenExpired)


def hs256_with_a_public_key(claims: dict[str, Any]) -> str:
    """The classic confusion: everybody knows the public key."""
    key = KEYS["RS256"]
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = raw_token({"alg": "HS256", "typ": "JWT", "kid": key.key_id}, claims).rpartition(".")[0]
    signature = hmac.digest(pem, head.encode(), hashlib.sha256)
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "forge",
    [
        lambda claims: raw_token({"alg": "none", "typ": "JWT"}, claims),
        lambda claims: raw_token({"alg": "None"}, claims),
        lambda claims: raw_token({"alg": "none", "kid": "key-ES256"}, claims),
        lambda claims: raw_token({"alg": "HS256"}, claims),
        lambda claims: raw_token({"typ": "JWT"}, claims),
        lambda claims: raw_token({"alg": ["HS256"]}, claims),
        lambda claims: raw_token([], claims),
        lambda claims: jwt.encode(claims, SECRET, algorithm="HS512"),
        lambda claims: jwt.encode(claims, SECRET + "x", algorithm="HS256"),
        hs256_with_a_public_key,
        # A stranger's key under a published name, an unknown name, no name, a name that is no text.
        lambda claims: signing_key("ES256", "key-ES256").sign(claims),
        lambda claims: KEYS["ES256"].sign(claims, kid="unknown"),
        lambda claims: jwt.encode(claims, KEYS["ES256"].private, algorithm="ES256"),
        # A good key of another kind under the name: the algorithm belongs to the key, not to the token.
        lambda claims: KEYS["ES256"].sign(claims, kid="key-RS256"),
        lambda claims: KEYS["RS256"].sign(claims, kid="key-ES256"),
        lambda claims: KEYS["EdDSA"].sign(claims, kid="key-ES256"),
        # The token brings its own key.
        lambda claims: signing_key("ES256", "mine").sign(claims, jwk=signing_key("ES256", "mine").published),
        lambda claims: signing_key("ES256", "mine").sign(claims, jku="https://evil.example/jwks.json"),
        lambda claims: KEYS["ES256"].sign(claims) + "AA",
        lambda claims: KEYS["ES256"].sign({**claims, "pad": "x" * 9000}),
    ],
)
def test_a_forged_sign_in_is_refused(tokens: UserTokens, issuer: str, forge: Any) -> None:
    with pytest.raises(UserTokenInvalid):
        tokens.user_id(forge(sign_in(issuer)))


def test_without_the_shared_secret_only_published_keys_count(project: Answers, issuer: str) -> None:
    tokens = UserTokens(project.url, None)

    assert tokens.user_id(KEYS["ES256"].sign(sign_in(issuer))) == USER
    for secret in (SECRET, "", "None"):
        with pytest.raises(UserTokenInvalid):
            tokens.user_id(hs256_by(sign_in(issuer), secret))


def hs256_by(claims: dict[str, Any], secret: str) -> str:
    head = raw_token({"alg": "HS256", "typ": "JWT"}, claims).rpartition(".")[0]
    signature = hmac.digest(secret.encode(), head.encode(), hashlib.sha256)
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_rotation_is_seen_by_the_next_sign_in(project: Answers, issuer: str) -> None:
    """The old key signs until its tokens have run out; the new one is published before it signs."""
    now = [0.0]
    keys = UserKeys(f"{issuer}/.well-known/jwks.json", lambda: now[0])
    tokens = UserTokens(project.url, None, keys)
    old, new = KEYS["ES256"], signing_key("ES256", "new")
    tokens.user_id(old.sign(sign_in(issuer)))
    everything = project.body
    try:
        project.body = key_set(old, new)
        now[0] += 60
        assert tokens.user_id(new.sign(sign_in(issuer))) == USER
        assert tokens.user_id(old.sign(sign_in(issuer))) == USER
        project.body = key_set(new)
        now[0] += 3600
        with pytest.raises(UserTokenInvalid):
            tokens.user_id(old.sign(sign_in(issuer)))
    finally:
        project.body = everything


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(
    header=st.fixed_dictionaries({"alg": st.sampled_from(["HS256", "ES256", "none"]) | _json}, optional={"kid": _json}),
    claims=st.fixed_dictionaries({}, optional=dict.fromkeys(("iss", "sub", "aud", "exp", "nbf", "iat", "role"), _json)),
)
@example(header={"alg": "HS256"}, claims={"exp": float("inf")})
@example(header={"alg": "HS256"}, claims={"exp": 10**400})
def test_no_token_whatever_it_holds_is_more_than_refused(header: dict[str, Any], claims: dict[str, Any]) -> None:
    head = raw_token(header, claims).rpartition(".")[0]
    signature = hmac.digest(SECRET.encode(), head.encode(), hashlib.sha256)
    token = f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    with pytest.raises((UserTokenInvalid, KeysUnavailable)):
        NO_KEYS.user_id(token)


@settings(max_examples=100, deadline=None)
@given(token=st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises((UserTokenInvalid, KeysUnavailable)):
        NO_KEYS.user_id(token)
