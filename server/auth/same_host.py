"""Recognition of same-host requests, with protection against DNS rebinding."""

import re
from collections.abc import Mapping
from functools import lru_cache

PROXY_HEADERS = frozenset(
    {
        b"client-ip",
        b"forwarded",
        b"front-end-https",
        b"proxy-client-ip",
        b"true-client-ip",
        b"via",
        b"wl-proxy-client-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-host",
        b"x-real-ip",
        b"x-remote-addr",
        b"x-remote-ip",
        b"x-scheme",
        b"x-url-scheme",
    }
)
"""Headers that proxies add, in lower case; clients have no reason to send one of them."""
PROXY_PREFIXES = (
    b"cdn-",
    b"cf-",
    b"fastly-",
    b"fly-",
    b"x-appengine-",
    b"x-arr-",
    b"x-azure-",
    b"x-envoy-",
    b"x-forwarded",
    b"x-original-",
    b"x-proxy",
    b"x-proxied-",
    b"x-real-",
    b"x-vercel-",
)
"""Beginnings of further such headers: `X-Forwarded-*`, and those of CDNs, clouds and service meshes."""
LOOPBACK_HOST = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)

Headers = Mapping[bytes, bytes]


def is_same_host_request(headers: Headers) -> bool:
    """Return whether a request addresses localhost without a proxy or a foreign origin.

    A proxy on this machine passes on requests of other machines. A proxy that adds no header at all cannot be recognized.

    A page on the internet can point its host name to this machine and read the responses (DNS rebinding). Its requests still
    carry that name in Host. Origins allowed by the CORS setting do not count as same-host: they must not act as admin.
    """
    host, origin = headers.get(b"host", b""), headers.get(b"origin")
    if LOOPBACK_HOST.fullmatch(host) is None or (origin is not None and origin.partition(b"://")[2] != host):
        return False
    return not any(map(_is_proxy_header, headers))


@lru_cache(maxsize=200)
def _is_proxy_header(name: bytes) -> bool:
    return name in PROXY_HEADERS or name.startswith(PROXY_PREFIXES)
