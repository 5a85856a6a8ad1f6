"""Which URLs and addresses events may be sent to, by table."""

from __future__ import annotations

import pytest

from sync.core.events.endpoints import is_loopback, is_public, url_problem


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1", "168.63.129.16",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
        "2001::1", "2002:7f00:1::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "no address", "",
    ],
)  # fmt: skip
def test_every_other_address(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "in_production", "in_development"),
    [
        ("https://hooks.example.com/a?b=c", True, True),
        ("https://hooks.example.com:8443/", True, True),
        ("https://8.8.8.8/", True, True),
        ("http://localhost:8000/hook", False, True),
        ("http://[::1]:8000/hook", False, True),
        ("http://hooks.example.com/", False, False),
        ("https://127.0.0.1/", False, False),
        ("https://[::ffff:10.0.0.1]/", False, False),
        ("https://user:secret@hooks.example.com/", False, False),
        ("https://hooks.example.com/#part", False, False),
        ("https://hooks.example.com:0/", False, False),
        ("https://hooks.example.com:99999/", False, False),
        ("https://[::1/", False, False),
        ("https:///path", False, False),
        ("https://hooks.example.com/a b", False, False),
        ("https://höks.example.com/", False, False),
        ("https://hooks.example.com/\r\nHost: other", False, False),
        ("ftp://hooks.example.com/", False, False),
        ("file:///etc/passwd", False, False),
        ("https://hooks.example.com/" + "a" * 2048, False, False),
        ("", False, False),
    ],
)
def test_urls(url: str, in_production: bool, in_development: bool) -> None:
    assert (url_problem(url, in_development=False) is None) is in_production
    assert (url_problem(url, in_development=True) is None) is in_development


def test_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("8.8.8.8")
    assert not is_loopback("localhost")
