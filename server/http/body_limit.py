"""Request body limits by permission.

The limit is small without the upload scope, larger with it, and largest for multipart files. Bodies are decoded
on the event loop, so only callers that are trusted with uploads may send large ones. Files are spooled to disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Message, Receive

from server.http.errors import HttpError
from server.http.multipart import is_multipart


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
        raises it when the limit is passed.
        """
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
