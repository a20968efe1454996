"""WebSocket messages: JSON by orjson, bounded in length, in text frames."""

from collections.abc import AsyncGenerator, Mapping

import orjson
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected

from server.http.errors import HttpError
from telemetry.request_record import start_operation_record

MAX_REASON_BYTES = 120
"""Maximum length of a close reason. A close frame has room for 3 bytes more (RFC 6455, section 5.5)."""


class OrjsonWebSocketAdapter(ASGIWebSocketAdapter):
    """WebSocket adapter that encodes with orjson and sends text frames.

    The stock adapter would send orjson's bytes as binary frames, which browser clients do not accept. Messages are decoded on
    the event loop, so `max_bytes` limits their length. None means no limit.
    """

    max_bytes: int | None = None
    message_length = 0
    """Characters of the latest message."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Yield the decoded messages of the client.

        Raise HttpError (PAYLOAD_TOO_LARGE), NonTextMessageReceived or NonJsonMessageReceived.
        """
        while self.ws.application_state is WebSocketState.CONNECTED:
            try:
                text = await self.ws.receive_text()
            except KeyError as error:
                raise NonTextMessageReceived from error
            except WebSocketDisconnect:
                return
            self.message_length = len(text)
            if self.max_bytes is not None and len(text.encode()) > self.max_bytes:
                start_operation_record()
                message = f"Message too large: the limit is {self.max_bytes:,} bytes without the upload scope."
                raise HttpError("PAYLOAD_TOO_LARGE", message, status=413)
            try:
                decoded: object = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                if not ignore_parsing_errors:
                    raise NonJsonMessageReceived from error
            else:
                yield decoded

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send the message. Raise WebSocketDisconnected if the client has disconnected."""
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.send_text(orjson.dumps(message).decode())
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close the connection with a reason, truncated because it may quote the client's message.

        Raise WebSocketDisconnected if the client has disconnected.
        """
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error
