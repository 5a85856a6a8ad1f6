"""Who is let in where: the service, the scheduler, a signed-in user for themselves, and nobody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.stack.ports import free_port
from sync.settings import load
from tests.web.calls import CONNECT, CRON, POLL, RENEW, assert_no_secret, assert_problem, bearer, call, calls_caused
from tests.world import InProcessService, World

NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def claims(world: World, user_id: str, **changes: Any) -> dict[str, Any]:
    """A user's claims; None takes one away."""
    now = int(time.time())
    good = {
        "iss": f"{world.supabase.url}/auth/v1",
        "sub": user_id,
        "aud": "authenticated",
        "role": "authenticated",
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(world: World, user_id: str, **changes: Any) -> str:
    return jwt.encode(claims(world, user_id, **changes), world.supabase.jwt_secret, algorithm="HS256")


def unsigned(world: World, user_id: str) -> str:
    return jwt.encode(claims(world, user_id), None, algorithm="none")  # type: ignore[arg-type]


def es256_by_a_stranger(world: World, user_id: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    kid = world.supabase.secrets.signing_key_id
    return jwt.encode(claims(world, user_id), key, algorithm="ES256", headers={"kid": kid})


def es256_of_an_unknown_key(world: World, user_id: str) -> str:
    pem = world.supabase.secrets.signing_key_pem
    return jwt.encode(claims(world, user_id), pem, algorithm="ES256", headers={"kid": "unknown"})


def hs256_with_the_public_key(world: World, user_id: str) -> str:
    """The classic confusion: everybody knows the public key."""
    private = serialization.load_pem_private_key(world.supabase.secrets.signing_key_pem.encode(), None)
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def part(content: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=")

    head = {"alg": "HS256", "typ": "JWT", "kid": world.supabase.secrets.signing_key_id}
    text = part(head) + b"." + part(claims(world, user_id))
    return (text + b"." + base64.urlsafe_b64encode(hmac.digest(pem, text, hashlib.sha256)).rstrip(b"=")).decode()


def test_the_service_key_opens_every_door(world: World) -> None:
    key = world.supabase.service_key
    for headers in (bearer(key), {"apikey": key}, {"Authorization": f"bearer  {key}"}):
        assert call(world, CRON, headers).status_code == 200
        assert call(world, RENEW, headers).status_code == 200
        assert_problem(call(world, POLL, headers, json={"userId": NOBODY}), 404, "no_calendars")
        assert_problem(call(world, CONNECT, headers, json={"userId": NOBODY}), 400, "provider_refresh_token_missing")


def test_the_cron_secret_opens_what_a_scheduler_calls(world: World) -> None:
    secret = world.environment["CRON_SECRET"]
    for headers in (bearer(secret), {"apikey": secret}):
        assert call(world, CRON, headers).status_code == 200
        assert call(world, RENEW, headers).status_code == 200
        assert_problem(call(world, POLL, headers, json={"userId": NOBODY}), 404, "no_calendars")


def test_the_cron_secret_imports_no_connection(world: World) -> None:
    alice = world.person()
    body = {"userId": alice.user_id, "provider_refresh_token": alice.refresh_token}

    answer = call(world, CONNECT, bearer(world.environment["CRON_SECRET"]), json=body)

    assert_problem(answer, 401, "unauthorized")
    assert world.rows("select 1 from google_credentials") == []


def test_a_front_ends_anon_key_beside_the_users_jwt_is_no_hindrance(world: World) -> None:
    """supabase-js sends both."""
    alice = world.person()
    headers = {**bearer(world.supabase.user_jwt(alice.user_id)), "apikey": world.supabase.anon_key}

    assert_problem(call(world, POLL, headers, json={}), 404, "no_calendars")


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_a_user_acts_for_themselves_alone(world: World, algorithm: Any) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    headers = bearer(world.supabase.user_jwt(alice.user_id, algorithm=algorithm))

    for body in ({}, {"userId": alice.user_id}, {"userId": alice.user_id.upper()}, {"userId": None}):
        assert_problem(call(world, POLL, headers, json=body), 404, "no_calendars")
        assert_problem(call(world, CONNECT, headers, json=body), 400, "provider_refresh_token_missing")
    for path in (POLL, CONNECT):
        body = {"userId": bob.user_id, "provider_refresh_token": alice.refresh_token}
        assert_problem(call(world, path, headers, json=body), 403, "not_your_account")
    for path in (CRON, RENEW):
        assert_problem(call(world, path, headers), 401, "unauthorized")
    assert world.rows("select 1 from google_credentials") == []


FORGERIES: dict[str, Callable[[World, str], str]] = {
    "expired": lambda world, user: signed(world, user, exp=int(time.time()) - 3600),
    "without an end": lambda world, user: signed(world, user, exp=None),
    "not yet": lambda world, user: signed(world, user, nbf=int(time.time()) + 3600),
    "wrong audience": lambda world, user: signed(world, user, aud="somebody-else"),
    "no audience": lambda world, user: signed(world, user, aud=None),
    "wrong issuer": lambda world, user: signed(world, user, iss="https://evil.example/auth/v1"),
    "wrong role": lambda world, user: signed(world, user, role="service_role"),
    "anonymous role": lambda world, user: signed(world, user, role="anon"),
    "no subject": lambda world, user: signed(world, user, sub=None),
    "subject is no id": lambda world, user: signed(world, user, sub="admin"),
    "wrong signature": lambda world, user: signed(world, user)[:-4] + "AAAA",
    "another secret": lambda world, user: jwt.encode(claims(world, user), "x" * 40, algorithm="HS256"),
    "another HMAC": lambda world, user: jwt.encode(claims(world, user), world.supabase.jwt_secret, algorithm="HS384"),
    "unsigned": unsigned,
    "a stranger's key": es256_by_a_stranger,
    "an unknown key": es256_of_an_unknown_key,
    "the public key as secret": hs256_with_the_public_key,
    "the anon key": lambda world, _: world.supabase.anon_key,
    "the publishable key": lambda world, _: world.environment["STACK_SB_PUBLISHABLE_KEY"],
    "another service_role JWT": lambda world, _: jwt.encode(
        {"iss": "supabase", "role": "service_role", "exp": int(time.time()) + 60},
        world.supabase.jwt_secret,
        algorithm="HS256",
    ),
    "part of the service key": lambda world, _: world.supabase.service_key[:-1],
    "the JWT secret": lambda world, _: world.supabase.jwt_secret,
    "the channel secret": lambda world, _: world.environment["CHANNEL_TOKEN_SECRET"],
    "garbage": lambda _, __: "a.b.c",
    "an empty JWT": lambda _, __: "..",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_credential_that_is_not_good_opens_nothing(world: World, forgery: str) -> None:
    alice = world.person()
    credential = FORGERIES[forgery](world, alice.user_id)
    world.supabase.reset_counters()

    for headers in (bearer(credential), {"apikey": credential}):
        for path in (POLL, CRON, RENEW, CONNECT):
            answer = call(world, path, headers, json={"userId": alice.user_id})
            assert_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert_no_secret(world, answer)
            assert credential not in answer.text
    assert calls_caused(world) == {}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"apikey": ""}],
)
def test_without_a_credential_nothing_opens(world: World, headers: dict[str, str]) -> None:
    for path in (POLL, CRON, RENEW, CONNECT):
        assert_problem(call(world, path, headers), 401, "unauthorized")


def test_another_scheme_is_no_bearer(world: World) -> None:
    for scheme in ("Basic", "Token", ""):
        headers = {"Authorization": f"{scheme} {world.supabase.service_key}".strip()}
        assert_problem(call(world, CRON, headers), 401, "unauthorized")


def test_who_is_not_let_in_learns_nothing_of_their_body(world: World) -> None:
    for path in (POLL, CONNECT):
        assert_problem(call(world, path, bearer("x"), content=b"{nonsense"), 401, "unauthorized")


def test_credentials_beyond_ascii_are_refused_or_matched_byte_by_byte(world: World) -> None:
    for raw in (b"Bearer \xff\xfe", "Bearer schlüssel".encode(), b"Bearer \xc3"):
        assert_problem(call(world, CRON, {b"Authorization": raw}), 401, "unauthorized")


@pytest.fixture
def other_service(world: World) -> Iterator[Callable[..., str]]:
    """Starts the service with other settings; answers its address."""
    running: list[InProcessService] = []

    def start(**environment: str) -> str:
        running.append(InProcessService(load({**world.environment, **environment}), free_port()))
        return running[-1].url

    yield start
    for service in running:
        service.stop()


def test_the_new_secret_key_is_a_service_key_where_it_is_configured(
    world: World, other_service: Callable[..., str]
) -> None:
    key = world.supabase.sb_secret_key
    url = other_service(SUPABASE_SERVICE_ROLE_KEY="", SUPABASE_SECRET_KEY=key)

    for headers in (bearer(key), {"apikey": key}):
        assert call(world, CRON, headers).status_code == 401
        assert call_at(url, CRON, headers) == 200
    assert call_at(url, CRON, bearer(world.supabase.service_key)) == 401


def test_without_a_cron_secret_none_is_good(world: World, other_service: Callable[..., str]) -> None:
    url = other_service(CRON_SECRET="")

    assert call_at(url, CRON, bearer(world.environment["CRON_SECRET"])) == 401
    assert call_at(url, CRON, bearer("None")) == 401


def test_a_cron_secret_beyond_ascii_is_good(world: World, other_service: Callable[..., str]) -> None:
    secret = "grüezi-mitenand-0123456789"
    url = other_service(CRON_SECRET=secret)

    assert call_at(url, CRON, {b"Authorization": b"Bearer " + secret.encode()}) == 200
    assert call_at(url, CRON, {b"Authorization": b"Bearer " + secret.encode("latin-1")}) == 401


def test_without_the_shared_secret_only_the_published_keys_count(
    world: World, other_service: Callable[..., str]
) -> None:
    url = other_service(SUPABASE_JWT_SECRET="")
    user = str(uuid.uuid4())

    assert call_at(url, POLL, bearer(world.supabase.user_jwt(user, algorithm="ES256"))) == 404
    assert call_at(url, POLL, bearer(world.supabase.user_jwt(user, algorithm="HS256"))) == 401


def test_while_the_signing_keys_cannot_be_had_nobody_is_signed_out(
    world: World, other_service: Callable[..., str]
) -> None:
    url = other_service(SUPABASE_URL=f"http://127.0.0.1:{free_port()}")
    user = str(uuid.uuid4())

    assert call_at(url, POLL, bearer(world.supabase.user_jwt(user, algorithm="ES256"))) == 503


def call_at(url: str, path: str, headers: Any) -> int:
    return httpx.post(f"{url}{path}", headers=headers, timeout=60).status_code
