"""Limits of WebSocket handshakes, stricter than those of other requests.

After uvicorn's HTTP parser, the websockets library parses the head of a handshake a second time. It accepts lines of 8,192
bytes and 128 header fields, and sends no error for more. So larger handshakes are refused before that.
"""

from collections.abc import Sequence

from server.http.errors import HttpError

MAX_HANDSHAKE_LINE_BYTES, MAX_HANDSHAKE_FIELDS = 8_000, 120


def check_handshake(url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> HttpError | None:
    """Return the error of a handshake that the websockets library could not parse, or None."""
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
    return None
