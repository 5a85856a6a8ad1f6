"""A request's id goes along into threads, and no further than its work."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from sync.telemetry.origin import NOBODY, Origin, carried, follower, here, request_id, request_id_of, under

OURS = Origin("of-a-request")


def test_a_pool_made_for_a_request_works_under_its_id() -> None:
    with under(OURS), ThreadPoolExecutor(1, initializer=follower()) as pool:
        pool.submit(gc.collect).result()
        assert [pool.submit(request_id).result() for _ in range(2)] == ["of-a-request"] * 2
    assert request_id() is None


def test_what_is_carried_into_a_lasting_pool_leaves_nothing_there() -> None:
    with ThreadPoolExecutor(1) as pool:
        with under(OURS):
            asked = carried(request_id)
        assert pool.submit(asked).result() == "of-a-request"
        assert pool.submit(request_id).result() is None


def test_nobodys_work_hides_the_id_of_no_one() -> None:
    assert here() == NOBODY
    with under(OURS), under(NOBODY):
        assert request_id() == "of-a-request"


@pytest.mark.parametrize("given", ["0123456789", "Root=1-67891233-abcdef012345678912345678", "a.b_c-d:e"])
def test_an_id_that_comes_is_kept(given: str) -> None:
    assert request_id_of(given) == given


@pytest.mark.parametrize(
    "given", [None, "", "short", "x" * 65, "a b c d e f", "línea-ajena", "{json: true}", "12345678\n"]
)
def test_what_is_no_id_is_replaced(given: str | None) -> None:
    made = request_id_of(given)
    assert made != given
    assert request_id_of(made) == made
