"""Request body limits by permission.

The limit is small without the upload scope, larger with it, and largest for multipart files. Bodies are decoded
on the event loop, so only callers that are trusted with uploads may send large ones. Files are spooled to disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Message, Receive

from server.http.content_negotiation import is_identity
from server.http.errors import HttpError
from server.http.multipart import is_multipart


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Maximum body sizes in bytes.

    Attributes:
        query: For callers without the upload scope.
        body: For callers with the upload scope.
        upload: For multipart requests of callers with the upload scope.
    """

    query: int
    body: int
    upload: int

    def limit_receive(self, receive: Receive, headers: Mapping[bytes, bytes], *, may_upload: bool) -> Receive:
        """Return a `receive` that enforces the limit.

        Raise HttpError (PAYLOAD_TOO_LARGE) at once if Content-Length exceeds the limit. Without a length the returned `receive`
        raises it when the limit is passed. Raise HttpError (UNSUPPORTED_CONTENT_ENCODING) for a compressed body, which would
        grow beyond the limit.
        """
        if b"content-encoding" in headers and not is_identity(headers[b"content-encoding"]):
            message = "Unsupported Content-Encoding: send the body uncompressed (a price file may itself be a .gz)."
            accepted = {b"accept-encoding": b"identity"}
            raise HttpError("UNSUPPORTED_CONTENT_ENCODING", message, status=415, headers=accepted)
        if not may_upload:
            limit, suffix = self.query, " without the upload scope"
        else:
            limit, suffix = self.upload if is_multipart(headers.get(b"content-type", b"")) else self.body, ""
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not length.isdigit():
            return _limited_receive(receive, limit, suffix)
        if int(length[:20]) > limit:
            raise _too_large(limit, suffix)
        # The usual case: the HTTP server enforces Content-Length.
        return receive


async def receive_body(receive: Receive) -> bytes:
    """Return the whole body. Raise ClientDisconnected."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _limited_receive(receive: Receive, limit: int, suffix: str) -> Receive:
    size = 0

    async def receive_limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit, suffix)
        return message

    return receive_limited


def _too_large(limit: int, suffix: str) -> HttpError:
    message = f"Request body too large: the limit is {limit:,} bytes{suffix}."
    return HttpError("PAYLOAD_TOO_LARGE", message, status=413)
