"""Loopback hosts, networks of proxies, and the keys by which anonymous clients are counted."""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

IPV6_PREFIX_BITS = 64
"""Prefix of an IPv6 address that identifies a client.

Its holder chooses the other bits (RFC 6177).
"""
MAX_ADDRESS_LENGTH = 60
UNKNOWN_CLIENT = "unknown"
"""Common key of all clients without an address, for example at a Unix socket."""


def is_loopback(host: str) -> bool:
    """Return whether the host is a loopback address or localhost."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_networks(text: str | None) -> list[Network]:
    """Return the networks of a list separated by commas. Raise ValueError for anything else."""
    return [ipaddress.ip_network(part.strip(), strict=True) for part in filter(None, (text or "").split(","))]


def is_in_networks(host: str, networks: Iterable[Network]) -> bool:
    """Return whether the host is an address in one of the networks."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A socket for IPv6 and IPv4 reports IPv4 clients in this form.
    unmapped = getattr(address, "ipv4_mapped", None) or address
    return any(unmapped in network for network in networks)


def client_address_key(scope: Mapping[str, Any]) -> str:
    """Return the key that counts a caller without a token: its IPv4 address or IPv6 network.

    Behind a trusted proxy, uvicorn has replaced the client in the scope by the address in X-Forwarded-For.
    """
    host: str = (scope.get("client") or ("", 0))[0]
    # A proxy may forward any text as the address: overlong texts are not cached.
    return _network_key(host) if len(host) <= MAX_ADDRESS_LENGTH else UNKNOWN_CLIENT


@lru_cache(maxsize=10_000)
def _network_key(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return UNKNOWN_CLIENT
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), IPV6_PREFIX_BITS), strict=False))
