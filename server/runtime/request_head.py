"""Checks of a request head that the HTTP parser leaves to the server (RFC 9110, RFC 9112).

The parser itself refuses what makes the length of a message ambiguous: a second or malformed Content-Length,
Transfer-Encoding next to Content-Length, folded lines, a space before a colon. What it passes on is checked here: proxies and
caches in front of the server must not understand a request in another way than the server does.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from server.http.errors import HttpError

VERSIONS = {"1.1", "1.0"}
"""The parser also accepts a request line of HTTP/2.0 or HTTP/0.9, which no client sends in this form."""
MAX_HOST_BYTES = 260
"""Maximum length of a Host header: 253 bytes of a DNS name, a colon and the port."""
HOST = re.compile(rb"(\[[0-9a-f:.%a-z_~-]+\]|[a-z0-9._~!$&'()*+;=%-]+)(:[0-9]*)?", re.IGNORECASE)
"""`uri-host [ ":" port ]` (RFC 9110, section 7.2). A comma is refused: it can only come from two joined headers."""


def check_head(headers: Sequence[tuple[bytes, bytes]], http_version: str) -> HttpError | None:
    """Return the error of a head that must be refused, or None. Names are in lower case.

    This runs for every request, so it costs one dictionary lookup per header.
    """
    hosts = 0
    for name, value in headers:
        check = CHECKS.get(name)
        if check is not None:
            if (error := check(value)) is not None:
                return error
            hosts += name == b"host"
    if http_version not in VERSIONS:
        message = f"HTTP/{http_version} is not supported; use HTTP/1.1."
        return HttpError("UNSUPPORTED_HTTP_VERSION", message, status=505)
    if hosts == 1 or (hosts == 0 and http_version == "1.0"):
        return None
    message = f"An HTTP/{http_version} request needs exactly one Host header, but this one has {hosts}."
    return HttpError("BAD_HTTP", message)


def encode_head_without_upgrade(method: bytes, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the head of the same request without its Upgrade header."""
    fields = [b"%b: %b\r\n" % field for field in headers if field[0] != b"upgrade"]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, url, b"".join(fields))


def _check_host(value: bytes) -> HttpError | None:
    if len(value) <= MAX_HOST_BYTES and _is_host(value):
        return None
    return HttpError("BAD_HTTP", "The Host header must be a host name or address with an optional port.")


@lru_cache(maxsize=1_000)
def _is_host(value: bytes) -> bool:
    return HOST.fullmatch(value) is not None


def _check_transfer_encoding(value: bytes) -> HttpError | None:
    if value.strip().lower() == b"chunked":
        return None
    message = "Unsupported Transfer-Encoding: this server understands only `chunked`."
    return HttpError("UNSUPPORTED_TRANSFER_ENCODING", message, status=501)


def _check_expect(value: bytes) -> HttpError | None:
    if value.strip().lower() in {b"100-continue", b""}:
        return None
    message = "Unsupported expectation: this server understands only `Expect: 100-continue`."
    return HttpError("EXPECTATION_FAILED", message, status=417)


CHECKS: dict[bytes, Callable[[bytes], HttpError | None]] = {
    b"host": _check_host,
    b"transfer-encoding": _check_transfer_encoding,
    b"expect": _check_expect,
}
