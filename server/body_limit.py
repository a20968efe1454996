"""How large a request's body may be: files, which are spooled to disk, may be larger than what is held in memory.

Starlette's own middleware counts what arrives; around it stands the choice of the limit, and an answer that GraphQL clients
can read.
"""

import sys

from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY, RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import BadRequest
from server.multipart import is_form


class BodyLimit:
    """Refuses a body that is too large: at once where its length is told, otherwise when the limit is passed."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, max_upload_bytes: int) -> None:
        self._app = app
        # Built once: nearly every request passes here.
        self._limited = RequestBodyLimitMiddleware(app, max_body_bytes)
        self._limited_upload = RequestBodyLimitMiddleware(app, max_upload_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        limited = self._limited_upload if is_form(headers.get(b"content-type", b"")) else self._limited
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not length.isdigit():
            await limited(scope, receive, send)
        elif int(length[:20]) > limited.max_body_size:
            await _too_large(limited.max_body_size).to_response()(scope, receive, send)
        else:
            # As nearly always, and twice as quick: the server in front of us holds a body to the length that was told.
            await self._app(scope, receive, send)


def receive_at_most(receive: Receive, limit: int, *, may_upload: bool) -> Receive:
    """Return what receives a body no larger than questions are, unless its sender may upload. It raises BadRequest.

    A body is decoded on the event loop: only who is trusted with uploads may keep it busy with large ones.
    """
    size = 0

    async def receive_some() -> Message:
        nonlocal size, limit
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            if not may_upload:
                text = f"The body is too large; at most {limit:,} bytes are taken from callers that may not upload."
                raise BadRequest("PAYLOAD_TOO_LARGE", text, status=413)
            limit = sys.maxsize
        return message

    return receive_some


def answer_too_large(request: Request, _error: Exception) -> Response:
    """Return the answer to a body that passed its limit on the way, as an exception handler of starlette does."""
    return _too_large(request.scope[MAX_BODY_SIZE_SCOPE_KEY]).to_response()


def _too_large(limit: int) -> BadRequest:
    message = f"The body is too large; at most {limit:,} bytes are taken."
    return BadRequest("PAYLOAD_TOO_LARGE", message, status=413)
