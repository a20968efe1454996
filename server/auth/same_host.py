"""Recognition of same-host requests, with protection against DNS rebinding."""

import re
from collections.abc import Mapping

LOOPBACK_HOST = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)

Headers = Mapping[bytes, bytes]


def is_same_host_request(headers: Headers) -> bool:
    """Return whether a request means this machine by its own name, and came through nobody else and from no foreign page.

    A page on the internet can have its name lead to this machine, and then read what a browser on it is answered (DNS
    rebinding); but its requests still bear that name. A page that may ask, by setting, may not ask as the admin.
    """
    host, origin = headers.get(b"host", b""), headers.get(b"origin")
    is_forwarded = b"x-forwarded-for" in headers or b"forwarded" in headers
    is_foreign = origin is not None and origin.partition(b"://")[2] != host
    return not is_forwarded and not is_foreign and LOOPBACK_HOST.fullmatch(host) is not None
