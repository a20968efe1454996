"""Checks of WebSocket handshakes, stricter than those of other requests.

After uvicorn's HTTP parser, the websockets library parses the head of a handshake a second time. It accepts lines of 8,192
bytes and 128 header fields, and sends no error for more. It refuses other handshakes in plain text. So all these are refused
before that, as errors in JSON.
"""

from collections.abc import Sequence

from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol

from server.http.errors import HttpError

MAX_HANDSHAKE_LINE_BYTES, MAX_HANDSHAKE_FIELDS = 8_000, 120
VERSION = b"13"
"""The version of the protocol (RFC 6455)."""


def check_handshake(
    method: bytes, http_version: str, url: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> HttpError | None:
    """Return the error of a handshake that the websockets library would refuse, or None.

    That includes handshakes that it could not parse.
    """
    lines = [len(name) + len(value) for name, value in headers]
    if max(len(url), *lines) > MAX_HANDSHAKE_LINE_BYTES or len(lines) > MAX_HANDSHAKE_FIELDS:
        message = (
            f"Request headers too large: a WebSocket handshake may have {MAX_HANDSHAKE_FIELDS} header fields "
            f"of {MAX_HANDSHAKE_LINE_BYTES:,} bytes each."
        )
        return HttpError("HEAD_TOO_LARGE", message, status=431)
    fields = dict(headers)
    if b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0":
        return HttpError("BAD_HTTP", "A WebSocket handshake must not have a body.")
    if method != b"GET" or http_version != "1.1":
        return HttpError("BAD_HTTP", "A WebSocket handshake must be a GET request of HTTP/1.1.")
    if fields.get(b"sec-websocket-version") != VERSION:
        message = "Sec-WebSocket-Version must be 13."
        versions = {b"upgrade": b"websocket", b"sec-websocket-version": VERSION}
        return HttpError("UPGRADE_REQUIRED", message, status=426, headers=versions)
    return None if _is_accepted(url, headers) else HttpError("BAD_HTTP", "Malformed WebSocket handshake.")


def _is_accepted(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Return whether the library accepts the handshake."""
    received = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
    protocol = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()])
    return protocol.accept(Request(url.decode("latin-1"), received)).status_code == 101
