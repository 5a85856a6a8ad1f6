"""Client addresses, as coarse as each use may be. Pure. Called by `web/doors`."""

from __future__ import annotations

import ipaddress

# What a provider gives one customer; a narrower IPv6 block costs an attacker nothing to change.
CUSTOMER_PREFIX_V6 = 64
# A neighbourhood: tells attacks apart, names nobody.
NETWORK_PREFIXES = {4: 24, 6: 48}
# What one provider has to give, or so.
PROVIDER_PREFIXES = {4: 16, 6: 32}
UNKNOWN = "unknown"


def customer(address: str | None) -> str:
    """Who is counted as one: an IPv4 address, an IPv6 /64. What is no address is "unknown"."""
    parsed = _parsed(address)
    if parsed is None:
        return UNKNOWN
    return _network(parsed, CUSTOMER_PREFIX_V6) if parsed.version == 6 else str(parsed)


def network(address: str | None) -> str:
    """What is stored: an IPv4 /24, an IPv6 /48."""
    parsed = _parsed(address)
    return UNKNOWN if parsed is None else _network(parsed, NETWORK_PREFIXES[parsed.version])


def surroundings(customer: str) -> tuple[str, ...]:
    """Itself, its network, its provider's block: from near to far, where so many come that not each can be counted."""
    parsed = _parsed(customer.partition("/")[0])
    if parsed is None:
        return (customer,)
    far = (_network(parsed, prefixes[parsed.version]) for prefixes in (NETWORK_PREFIXES, PROVIDER_PREFIXES))
    return (customer, *far)


def _parsed(address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Some proxies append the port."""
    text = (address or "").strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if parsed.version == 6 else parsed


def _network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int) -> str:
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
