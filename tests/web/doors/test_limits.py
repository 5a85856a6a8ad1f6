"""Windows of many addresses: memory is bounded, and who is far from a crowd is not locked out with it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sync.web.doors.limits import UNPROVEN_PER_MINUTE, Limits


@pytest.fixture
def small() -> Limits:
    """With little room."""
    return Limits(max_windows=100)


def crowd(limits: Limits, customers: Iterable[str]) -> None:
    for customer in customers:
        limits.count_unproven(customer)


def of_one_network(count: int) -> list[str]:
    return [f"2001:db8:1:{number:x}::/64" for number in range(count)]


def of_one_provider(count: int) -> list[str]:
    return [f"2001:db8:{number:x}:1::/64" for number in range(count)]


def of_all_providers(count: int) -> list[str]:
    return [f"2{number:03x}:{number:x}:1:1::/64" for number in range(count)]


def test_a_crowd_of_one_network_shares_its_window_once_room_is_scarce(small: Limits) -> None:
    crowd(small, of_one_network(100 + UNPROVEN_PER_MINUTE))

    assert small.windows() == 101
    assert small.closed_for("2001:db8:1:ffff::/64")
    assert small.closed_for("2001:db8:1:1::/64") is None  # had its own before
    for elsewhere in ("2001:db8:2::/64", "2001:4860:4860::/64", "203.0.113.7"):
        assert small.closed_for(elsewhere) is None


def test_a_crowd_of_one_provider_shares_a_wider_window(small: Limits) -> None:
    crowd(small, of_one_provider(200 + UNPROVEN_PER_MINUTE))

    assert small.windows() == 201
    assert small.closed_for("2001:db8:ffff::/64")
    assert small.closed_for("2001:4860:4860::/64") is None


def test_a_crowd_from_everywhere_takes_no_more_room_than_there_is(small: Limits) -> None:
    crowd(small, of_all_providers(1000))
    crowd(small, (f"{number % 250 + 1}.{number // 250}.0.1" for number in range(1000)))

    assert small.windows() == 301


def test_addresses_of_version_4_share_as_they_lie(small: Limits) -> None:
    crowd(small, (f"203.0.113.{number}" for number in range(100)))
    crowd(small, ["198.51.100.1"] * UNPROVEN_PER_MINUTE)

    assert small.closed_for("198.51.100.200")
    assert small.closed_for("198.51.7.1") is None
