"""The project's published keys: kept, refreshed, rotated, and asked for no more than needed, whoever attacks."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sync.clients.user_keys import FRESH_SECONDS, PAUSE_SECONDS, TRUSTED_SECONDS, KeysUnavailable, UserKeys
from tests.clients.google.answering import Answers, answering
from tests.clients.sign_ins import key_set, signing_key

FIRST, SECOND = signing_key("ES256", "first"), signing_key("ES256", "second")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def endpoint() -> Iterator[Answers]:
    with answering() as answers:
        answers.body = key_set(FIRST)
        yield answers


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(endpoint: Answers, clock: Clock) -> UserKeys:
    return UserKeys(f"{endpoint.url}/jwks.json", clock)


def is_known(keys: UserKeys, key_id: str) -> bool:
    return keys.find(key_id) is not None


def test_a_hundred_sign_ins_cost_one_call(keys: UserKeys, endpoint: Answers) -> None:
    assert all(is_known(keys, "first") for _ in range(100))
    assert endpoint.requests == 1


def test_sixteen_first_sign_ins_at_once_cost_one_call(keys: UserKeys, endpoint: Answers) -> None:
    together = threading.Barrier(16)

    def one(_: int) -> bool:
        together.wait()
        return is_known(keys, "first")

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(16)))
    assert endpoint.requests == 1


def test_a_rotated_in_key_is_known_at_its_first_use(keys: UserKeys, endpoint: Answers, clock: Clock) -> None:
    assert is_known(keys, "first")
    clock.now += PAUSE_SECONDS
    endpoint.body = key_set(FIRST, SECOND)

    assert is_known(keys, "second")
    assert is_known(keys, "first")
    assert endpoint.requests == 2


def test_a_withdrawn_key_opens_nothing_once_the_set_is_refreshed(
    keys: UserKeys, endpoint: Answers, clock: Clock
) -> None:
    assert is_known(keys, "first")
    endpoint.body = key_set(SECOND)
    assert is_known(keys, "first")
    clock.now += FRESH_SECONDS

    assert not is_known(keys, "first")
    assert is_known(keys, "second")


def test_a_flood_of_unknown_keys_costs_one_call_per_pause(keys: UserKeys, endpoint: Answers, clock: Clock) -> None:
    assert is_known(keys, "first")
    for _ in range(3):
        clock.now += PAUSE_SECONDS
        with ThreadPoolExecutor(8) as pool:
            assert not any(pool.map(lambda _: is_known(keys, str(uuid.uuid4())), range(200)))
    assert endpoint.requests == 4


def test_a_new_key_is_known_a_pause_after_a_flood_asked_in_vain(
    keys: UserKeys, endpoint: Answers, clock: Clock
) -> None:
    assert not is_known(keys, "flood")
    endpoint.body = key_set(FIRST, SECOND)
    assert not is_known(keys, "second")
    clock.now += PAUSE_SECONDS

    assert is_known(keys, "second")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (404, b'{"keys": []}'),
        (302, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"keys": {}}'),
        (200, b'{"keys": [' + b" " * 200_000 + b"]}"),
        (200, b"[" * 50_000),
    ],
)
def test_keys_serve_on_while_the_endpoint_gives_no_good_set(
    keys: UserKeys, endpoint: Answers, clock: Clock, status: int, body: bytes
) -> None:
    assert is_known(keys, "first")
    endpoint.status, endpoint.body = status, body
    for _ in range(5):
        clock.now += FRESH_SECONDS
        assert all(is_known(keys, "first") for _ in range(20))

    assert endpoint.requests == 6


def test_old_keys_are_not_trusted_for_ever(keys: UserKeys, endpoint: Answers, clock: Clock) -> None:
    assert is_known(keys, "first")
    endpoint.status = 500
    clock.now += TRUSTED_SECONDS

    with pytest.raises(KeysUnavailable):
        keys.find("first")
    endpoint.status = 200
    clock.now += PAUSE_SECONDS
    assert is_known(keys, "first")


def test_without_any_set_nobody_is_called_a_forger(clock: Clock, endpoint: Answers, keys: UserKeys) -> None:
    endpoint.status = 503
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            keys.find("first")

    assert endpoint.requests == 1


def test_an_endpoint_that_is_not_there_is_unavailable(clock: Clock) -> None:
    with pytest.raises(KeysUnavailable):
        UserKeys("http://127.0.0.1:1/jwks.json", clock).find("first")


def test_a_project_without_published_keys_knows_none(keys: UserKeys, endpoint: Answers) -> None:
    endpoint.body = b'{"keys": []}'

    assert not is_known(keys, "first")


def test_only_keys_that_check_signatures_with_a_pinned_algorithm_are_taken(keys: UserKeys, endpoint: Answers) -> None:
    others: tuple[dict[str, Any], ...] = (
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "shared"},
        {**FIRST.published, "kid": "other-algorithm", "alg": "RS256"},
        {**FIRST.published, "kid": "for-encryption", "use": "enc"},
        {**FIRST.published, "kid": "broken", "x": "AAAA"},
        {**FIRST.published, "kid": 7},
        {**signing_key("ES384", "large-curve").published},
        {"kid": "nothing"},
        {},
    )
    endpoint.body = key_set(FIRST, signing_key("RS256", "rsa"), signing_key("EdDSA", "ed"), also=others)

    taken = ["first", "rsa", "ed"]
    asked = [*taken, "shared", "other-algorithm", "for-encryption", "broken", "large-curve", "nothing"]
    assert [key_id for key_id in asked if is_known(keys, key_id)] == taken
