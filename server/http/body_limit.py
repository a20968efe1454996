"""How large a request's body may be: more for who may upload, and most for files, which are spooled to disk.

A body is decoded on the event loop: only who is trusted with uploads may keep it busy with large ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Message, Receive

from server.http.errors import HttpError
from server.http.multipart import is_multipart


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bytes that the body of a question, of any operation of who may upload, and of a form with a file may have."""

    query: int
    body: int
    upload: int

    def limit_receive(self, receive: Receive, headers: Mapping[bytes, bytes], *, may_upload: bool) -> Receive:
        """Return what receives a body within the limit.

        Raise BadRequest (PAYLOAD_TOO_LARGE): at once where the length is told, otherwise when the limit is passed.
        """
        if not may_upload:
            limit, whose = self.query, " from callers that may not upload"
        else:
            limit, whose = self.upload if is_multipart(headers.get(b"content-type", b"")) else self.body, ""
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not length.isdigit():
            return _limited_receive(receive, limit, whose)
        if int(length[:20]) > limit:
            raise _too_large(limit, whose)
        # As nearly always: the server in front of us holds a body to the length that was told.
        return receive


def _limited_receive(receive: Receive, limit: int, audience_suffix: str) -> Receive:
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise _too_large(limit, audience_suffix)
        return message

    return receive_some


def _too_large(limit: int, audience_suffix: str) -> HttpError:
    message = f"The body is too large; at most {limit:,} bytes are taken{audience_suffix}."
    return HttpError("PAYLOAD_TOO_LARGE", message, status=413)
