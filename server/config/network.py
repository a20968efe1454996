"""Which hosts are this machine, and what strangers are counted by."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

IPV6_PREFIX_BITS = 64
"""Of an IPv6 address: what is below is its holder's to choose, so it names nobody (RFC 6177)."""
MAX_ADDRESS_LENGTH = 60
UNKNOWN_CLIENT = "unknown"
"""All callers without an address together, such as those at a Unix socket."""


def is_loopback(host: str) -> bool:
    """Return whether what is sent to the host stays on this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def client_address_key(scope: Mapping[str, Any]) -> str:
    """Return what a caller without a token is counted by: the address that the request came from, or its network (IPv6).

    Behind a proxy that is trusted, the server in front of us has put there what the proxy tells.
    """
    host: str = (scope.get("client") or ("", 0))[0]
    # What a proxy tells, and is no address, may be anything: it is not kept.
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
