"""GraphQL over WebSocket: strawberry's `graphql-transport-ws`, where it meets our JSON, our documents, and clients that go."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import orjson
from starlette.types import Scope
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from graph.execution.authorization import UPLOAD_SCOPES
from resolvers.context import RequestContext
from server.auth.access_control import AccessControl
from server.auth.identity import Identity
from server.graphql_api.persisted_documents import PersistedDocuments
from server.http.errors import HttpError
from server.http.request_params import validate_params
from server.observability.access_log import logged_operation
from telemetry.request_record import start_operation_record

FORBIDDEN = 4403
"""After this, clients connect again with a new token if they can make one; 4401 they take for the end."""
CLOSE_CODES = {413: 1009, 429: 1013, 503: 1013}
"""Too large; try again later."""
MAX_MESSAGES, WINDOW_SECONDS = 100, 60.0
"""Those of a WebSocket that neither begin an operation nor end one. Clients ping every ten seconds, if at all."""
MAX_REASON_BYTES = 120
"""Bytes: a frame that closes has room for 3 more (RFC 6455, section 5.5)."""


class OrjsonWebSocketAdapter(ASGIWebSocketAdapter):
    """A WebSocket whose messages leave as text: the stock one sends our bytes as binary, which browsers do not take.

    What comes is decoded on the event loop. So it has at most `max_bytes`, if any.
    """

    max_bytes: int | None = None

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Yield what is sent. Raise BadRequest (PAYLOAD_TOO_LARGE), NonTextMessageReceived, NonJsonMessageReceived."""
        while self.ws.application_state is WebSocketState.CONNECTED:
            try:
                text = await self.ws.receive_text()
            except KeyError as error:
                raise NonTextMessageReceived from error
            except WebSocketDisconnect:
                return
            if self.max_bytes is not None and len(text.encode()) > self.max_bytes:
                start_operation_record()
                message = f"At most {self.max_bytes:,} bytes are taken in a message from callers that may not upload."
                raise HttpError("PAYLOAD_TOO_LARGE", message, status=413)
            try:
                decoded: object = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                if not ignore_parsing_errors:
                    raise NonJsonMessageReceived from error
            else:
                yield decoded

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send the message. Raise WebSocketDisconnected when the client has gone."""
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.send_text(orjson.dumps(message).decode())
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close the connection for a reason, which may quote what was sent. Raise WebSocketDisconnected as above."""
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        try:
            await self.ws.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error


class TransportWSHandler(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """The stock protocol. Neither a malformed message nor a client that has gone is an error of ours.

    The caller is known by the token in the payload of `connection_init`, as a browser can send no header with a WebSocket, or
    else in the header. The connection ends with it.
    """

    documents: PersistedDocuments
    _identity: Identity
    _end: asyncio.Task[None] | None = None
    _messages, _window_ends = 0, 0.0

    async def handle(self) -> None:
        """Handle what is sent until the end of the connection, which may be that something is refused."""
        self._socket.max_bytes = self._access_control.message_bytes
        try:
            await super().handle()
        except HttpError as error:
            with self._logged(), contextlib.suppress(WebSocketDisconnected):
                code = CLOSE_CODES.get(error.status, FORBIDDEN)
                await self.websocket.close(code=code, reason=f"{error.code}: {error.message}")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Begin the connection with whom it is for. Raise BadRequest, as `Admission.recognise`; TOO_MANY_STREAMS."""
        payload: Any = message.get("payload") or {}
        if isinstance(payload, dict) and not self.connection_init_received:
            identity = await self._authenticate(payload)
            admission = self._access_control
            admission.stream_limiter.transfer(
                self._scope["state"]["place"], admission.stream_owner(self._scope, identity)
            )
            if identity.caller.scopes >= UPLOAD_SCOPES:
                self._socket.max_bytes = None
            self.context.caller, self._identity = identity.caller, identity
            self._end = asyncio.create_task(self._close_when_expired(identity))
        await super().handle_connection_init(message)

    async def _authenticate(self, payload: Mapping[str, object]) -> Identity:
        headers = dict(self._scope["headers"])
        sent = [value for name, value in payload.items() if name.lower() == "authorization"]
        if sent:
            headers[b"authorization"] = str(sent[0]).encode("latin-1", "replace")
        return await self._access_control.authenticate(self._scope, headers)

    @property
    def _socket(self) -> OrjsonWebSocketAdapter:
        return cast("OrjsonWebSocketAdapter", self.websocket)

    @property
    def _scope(self) -> Scope:
        return self._socket.ws.scope

    @property
    def _access_control(self) -> AccessControl:
        admission: AccessControl = self._scope["state"]["access_control"]
        return admission

    def _logged(self) -> AbstractContextManager[None]:
        return logged_operation(self._scope["state"]["slow_seconds"])

    async def _close_when_expired(self, identity: Identity) -> None:
        await identity.wait_until_expired()
        with contextlib.suppress(WebSocketDisconnected, RuntimeError):
            await self.websocket.close(code=FORBIDDEN, reason="The token has expired or was revoked.")

    async def shutdown(self) -> None:
        """End what runs."""
        if self._end is not None:
            self._end.cancel()
        await super().shutdown()

    async def handle_message(self, message: Message) -> None:
        """Handle the message, or close the connection as the protocol wants it (4400). Raise BadRequest (RATE_LIMITED)."""
        try:
            self._rate_limit_message(message)
            await super().handle_message(message)
        except (TypeError, ValueError, AttributeError):
            # A message runs nothing of ours by itself: its operation is a task. So it is the message that has a wrong shape.
            await self.handle_invalid_message("Failed to parse message")

    def _rate_limit_message(self, message: Message) -> None:
        now = time.monotonic()
        if now >= self._window_ends:
            self._messages, self._window_ends = 0, now + WINDOW_SECONDS
        if message.get("type") != "complete" or message.get("id") not in self.operations:
            self._messages += 1
        if self._messages > MAX_MESSAGES:
            start_operation_record()
            taken = f"{MAX_MESSAGES} in {WINDOW_SECONDS:.0f} s are taken beside operations"
            raise HttpError("RATE_LIMITED", f"Too many messages: {taken}.", status=429)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Begin the operation, whose document may be sent or named, or answer what is wrong with it."""
        if not self.connection_acknowledged:
            await super().handle_subscribe(message)
            return
        # The task of the operation takes it along.
        start_operation_record()
        payload = dict[str, Any](message["payload"])
        try:
            await self._access_control.check_rate_limit(self._scope, self._identity)
            # Counted there, so not here, and neither is a `complete` that has crossed ours on the way.
            self._messages -= 2
            self._check_operation_limit()
            text = self.documents.resolve_document(validate_params(payload))
        except HttpError as error:
            refusal: Any = error.to_graphql_error()
            with self._logged():
                await self.send_message({"id": message["id"], "type": "error", "payload": [refusal]})
        else:
            begun: Any = {**message, "payload": {**payload, "query": text}}
            await super().handle_subscribe(begun)

    def _check_operation_limit(self) -> None:
        """Raise BadRequest (TOO_MANY_OPERATIONS) where as many operations run as may."""
        most = self.max_subscriptions_per_connection
        if most is not None and len(self.operations) >= most:
            message = f"At most {most:,} operations run on one WebSocket: end one first."
            raise HttpError("TOO_MANY_OPERATIONS", message, status=429)

    async def run_operation(self, operation: Operation[RequestContext, None]) -> None:
        """Run the operation, and tell of it when it has ended."""
        with self._logged():
            await super().run_operation(operation)

    async def handle_task_exception(self, error: Exception) -> None:
        """Log the error, unless it is only that nobody listens any more."""
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)
