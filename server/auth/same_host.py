"""Recognition of same-host requests, with protection against DNS rebinding."""

import re
from collections.abc import Mapping

LOOPBACK_HOST = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)

Headers = Mapping[bytes, bytes]


def is_same_host_request(headers: Headers) -> bool:
    """Return whether a request addresses localhost without a proxy or a foreign origin.

    A page on the internet can point its host name to this machine and read the responses (DNS rebinding). Its requests still
    carry that name in Host. Origins allowed by the CORS setting do not count as same-host: they must not act as admin.
    """
    host, origin = headers.get(b"host", b""), headers.get(b"origin")
    is_forwarded = b"x-forwarded-for" in headers or b"forwarded" in headers
    is_foreign = origin is not None and origin.partition(b"://")[2] != host
    return not is_forwarded and not is_foreign and LOOPBACK_HOST.fullmatch(host) is not None
