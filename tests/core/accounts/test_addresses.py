"""Client addresses, as coarse as each use may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.accounts.addresses import customer, network, surroundings


@pytest.mark.parametrize(
    ("address", "one", "neighbourhood"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.7:51234", "203.0.113.7", "203.0.113.0/24"),
        (" 203.0.113.7 ", "203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("[2001:db8:1:2::6]:443", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("", "unknown", "unknown"),
        (None, "unknown", "unknown"),
        ("unix:", "unknown", "unknown"),
        ("localhost", "unknown", "unknown"),
        ("203.0.113.7, 10.0.0.1", "unknown", "unknown"),
    ],
)
def test_an_address_is_counted_by_customer_and_stored_by_network(
    address: str | None, one: str, neighbourhood: str
) -> None:
    assert (customer(address), network(address)) == (one, neighbourhood)


@pytest.mark.parametrize(
    ("one", "wider"),
    [
        ("203.0.113.7", ("203.0.113.0/24", "203.0.0.0/16")),
        ("2001:db8:1:2::/64", ("2001:db8:1::/48", "2001:db8::/32")),
        ("unknown", ()),
    ],
)
def test_a_customer_lies_in_a_network_of_a_provider(one: str, wider: tuple[str, ...]) -> None:
    assert surroundings(one) == (one, *wider)


@given(st.text(max_size=40))
def test_no_text_breaks_it_or_makes_a_long_key(text: str) -> None:
    assert len(customer(text)) <= 50
    assert len(network(text)) <= 50
