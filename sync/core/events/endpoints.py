"""Which addresses events may be sent to: https to public ones, or, in development, plain http to this machine.

A name is checked by what it resolves to, at each attempt; here are the rules. Called by `jobs/events`.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

MAX_URL_LENGTH = 2048
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Global by its number, and yet a platform's own, with secrets to tell: Azure's.
_PLATFORMS = frozenset({ipaddress.ip_address("168.63.129.16")})


def url_problem(url: str, *, in_development: bool) -> str | None:
    """What is wrong with a subscription's URL, as the end of a sentence; None: nothing."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_URL_LENGTH:
        return f"must be a URL of up to {MAX_URL_LENGTH} ASCII characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be a URL like https://host/path"
    if not parts.hostname or port == 0 or parts.fragment or "@" in parts.netloc:
        return "must be a URL like https://host/path, without user name or fragment"
    if parts.scheme == "http" and in_development and parts.hostname in LOOPBACK_NAMES:
        return None
    if parts.scheme != "https":
        return "must be https"
    if _is_address(parts.hostname) and not is_public(parts.hostname):
        return "must be a public address"
    return None


def is_public(address: str) -> bool:
    """Whether an IP address, as text, is one of the open internet."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        elif ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        elif ip not in _GLOBAL_UNICAST or ip.sixtofour or ip.teredo:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified) and ip not in _PLATFORMS


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
