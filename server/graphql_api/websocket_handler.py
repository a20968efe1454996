"""GraphQL over WebSocket: strawberry's `graphql-transport-ws` handler plus authentication.

The handler also adds persisted documents, per-connection limits, and tolerance of clients that disconnect.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

from starlette.types import Scope
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    PingMessage,
    SubscribeMessage,
)
from strawberry.types.graphql import OperationType

from graph.authorization import UPLOAD_SCOPES
from graph.execution.streaming import StreamingSchema
from resolvers.context import RequestContext, ResultSlot, current_result_slot
from server.auth.access_control import AccessControl
from server.auth.identity import Identity
from server.graphql_api.persisted_documents import PersistedDocuments
from server.graphql_api.websocket_adapter import OrjsonWebSocketAdapter
from server.http.errors import HttpError
from server.http.large_bodies import LargeBodies
from server.http.request_headers import parse_headers
from server.http.request_params import validate_params
from server.observability.access_log import logged_operation
from telemetry.request_record import start_operation_record

FORBIDDEN = 4403
"""Close code after which clients reconnect if they can obtain a new token; after 4401 they do not."""
CLOSE_CODES = {413: 1009, 429: 1013, 503: 1013}
"""Close codes by HTTP status: 1009 is "message too big", 1013 is "try again later"."""
MAX_MESSAGES, WINDOW_SECONDS = 100, 60.0
"""Limit of messages that neither start nor end an operation.

Clients ping every ten seconds, if at all.
"""
MAX_PENDING_RESULTS = 4
"""Maximum number of results of one WebSocket that are computed, encoded or unread. Each has up to some megabytes."""
MAX_ID_LENGTH = 500
"""Maximum characters of an operation's ID, which each of its messages repeats. Clients send UUIDs or numbers."""


class TransportWSHandler(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """Handler of one `graphql-transport-ws` connection.

    The token arrives in the payload of `connection_init`, because browsers cannot set headers on a WebSocket. The
    Authorization header is the fallback. The connection is closed when the token expires. Malformed messages and
    disconnected clients are not logged as errors.
    """

    documents: PersistedDocuments
    _identity: Identity
    _expiry_task: asyncio.Task[None] | None = None
    _messages, _window_ends_at = 0, 0.0
    """Messages of the current window that are not part of an operation."""
    _pong_task: asyncio.Task[None] | None = None
    _due_pongs = 0
    _late_completes = 0
    """Number of `complete` messages that are accepted for operations that have already ended."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._result_slots = asyncio.Semaphore(MAX_PENDING_RESULTS)

    async def handle(self) -> None:
        """Handle the client's messages until one side closes the connection."""
        self._socket.max_bytes = self._access_control.message_bytes
        try:
            await super().handle()
        except HttpError as error:
            with self._logged(), contextlib.suppress(WebSocketDisconnected):
                code = CLOSE_CODES.get(error.status, FORBIDDEN)
                await self.websocket.close(code=code, reason=f"{error.code}: {error.message}")

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Authenticate the caller and acknowledge the connection.

        Raise HttpError (TOO_MANY_STREAMS, and the codes of `AccessControl.authenticate`).
        """
        payload: Any = message.get("payload")
        if payload is None:
            # Clients without parameters send null, or no payload.
            payload = {}
        if isinstance(payload, dict) and not self.connection_init_received:
            identity = await self._authenticate(payload)
            access_control = self._access_control
            access_control.stream_limiter.transfer(
                self._scope["state"]["stream_lease"], access_control.stream_owner(self._scope, identity)
            )
            if identity.caller.scopes >= UPLOAD_SCOPES:
                self._socket.max_bytes = None
            self.context.caller, self._identity = identity.caller, identity
            self._expiry_task = asyncio.create_task(self._close_when_expired(identity))
        await super().handle_connection_init({**message, "payload": payload})

    async def _authenticate(self, payload: Mapping[str, object]) -> Identity:
        headers = parse_headers(self._scope["headers"])
        authorization = [
            value for name, value in payload.items() if name.lower() == "authorization" and value is not None
        ]
        if authorization:
            headers[b"authorization"] = str(authorization[0]).encode("latin-1", "replace")
        return await self._access_control.authenticate(self._scope, headers)

    @property
    def _socket(self) -> OrjsonWebSocketAdapter:
        return cast("OrjsonWebSocketAdapter", self.websocket)

    @property
    def _scope(self) -> Scope:
        return self._socket.ws.scope

    @property
    def _access_control(self) -> AccessControl:
        access_control: AccessControl = self._scope["state"]["access_control"]
        return access_control

    @property
    def _large_bodies(self) -> LargeBodies:
        large_bodies: LargeBodies = self._scope["state"]["large_bodies"]
        return large_bodies

    def _logged(self) -> AbstractContextManager[None]:
        return logged_operation(self._scope["state"]["slow_seconds"])

    async def _close_when_expired(self, identity: Identity) -> None:
        await identity.wait_until_expired()
        with contextlib.suppress(WebSocketDisconnected, RuntimeError):
            await self.websocket.close(code=FORBIDDEN, reason="The token has expired or was revoked.")

    async def shutdown(self) -> None:
        """Cancel the running operations, the expiry timer and unsent pongs."""
        for task in (self._expiry_task, self._pong_task):
            if task is not None:
                task.cancel()
        await super().shutdown()

    async def handle_message(self, message: Message) -> None:
        """Handle the message. Raise HttpError (RATE_LIMITED).

        A malformed message closes the connection with 4400, as the protocol requires. The content of a request is no part of
        the protocol: an invalid document or parameter is an error of its operation (`handle_subscribe`).
        """
        try:
            if not self._is_operation_message(message):
                self._rate_limit_message()
            if isinstance(message.get("type"), str):
                await super().handle_message(message)
            else:
                await self.handle_invalid_message("Failed to parse message")
        except (TypeError, ValueError, AttributeError):
            # Operations run in tasks of their own, so these errors mean that the message has a wrong shape.
            await self.handle_invalid_message("Failed to parse message")

    async def handle_ping(self, message: PingMessage) -> None:  # noqa: ARG002
        """Answer the ping in a task, because the pong may have to wait for the client."""
        self._due_pongs += 1
        if self._pong_task is None or self._pong_task.done():
            self._pong_task = asyncio.create_task(self._send_pongs())

    async def _send_pongs(self) -> None:
        with contextlib.suppress(WebSocketDisconnected):
            while self._due_pongs:
                self._due_pongs -= 1
                await self.send_message({"type": "pong"})

    def _is_operation_message(self, message: Message) -> bool:
        """Return whether the message starts or completes an operation.

        A client may complete an operation that has just ended, because the two messages can cross on the network.
        """
        if message.get("type") == "complete":
            is_late = message.get("id") not in self.operations
            if is_late and not self._late_completes:
                return False
            self._late_completes = max(0, self._late_completes - 1)
            return True
        return message.get("type") == "subscribe" and self.connection_acknowledged

    def _rate_limit_message(self) -> None:
        """Count a message that is not part of an operation. Raise HttpError (RATE_LIMITED)."""
        now = time.monotonic()
        if now >= self._window_ends_at:
            self._messages, self._window_ends_at = 0, now + WINDOW_SECONDS
        self._messages += 1
        if self._messages > MAX_MESSAGES:
            start_operation_record()
            message = f"Message rate exceeded: {MAX_MESSAGES} per {WINDOW_SECONDS:.0f} s, not counting operations."
            raise HttpError("RATE_LIMITED", message, status=429)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start the operation, or send its error: a limit is reached, or its parameters are invalid.

        Only a message without an ID or a payload closes the connection: there is no operation that an error could name.
        """
        members: Mapping[str, Any] = message
        id_, payload = members.get("id"), members.get("payload")
        if not self.connection_acknowledged:
            await super().handle_subscribe(message)
            return
        if not isinstance(id_, str) or not isinstance(payload, dict):
            await self.handle_invalid_message("A subscribe message needs a string `id` and an object `payload`")
            return
        if id_ in self.operations:
            # This closes the connection: an error would end the operation that already has the ID.
            await super().handle_subscribe(message)
            return
        if len(id_) > MAX_ID_LENGTH:
            await self.handle_invalid_message(f"The operation ID exceeds {MAX_ID_LENGTH} characters")
            return
        # The task of the operation inherits the record through its context.
        start_operation_record()
        try:
            await self._access_control.check_rate_limit(self._scope, self._identity)
            self._late_completes = min(self._late_completes + 1, MAX_MESSAGES)
            self._check_operation_limit()
            text = self.documents.resolve_document(validate_params(payload))
            reserved_bytes = await self._large_bodies.reserve(self._socket.message_length)
        except HttpError as error:
            if error.code == "RATE_LIMITED":
                # A rejected operation counts as a message, so that a client cannot repeat it without end.
                self._rate_limit_message()
            formatted: Any = error.to_graphql_error()
            with self._logged():
                await self.send_message({"id": id_, "type": "error", "payload": [formatted]})
        else:
            resolved: Any = {**message, "payload": {**payload, "query": text}}
            await self._start_operation(resolved, reserved_bytes)

    async def _start_operation(self, message: SubscribeMessage, reserved_bytes: int) -> None:
        """Start the operation. The room that its message occupies is released when it ends."""

        def release(*_: object) -> None:
            self._large_bodies.release(reserved_bytes)

        try:
            await super().handle_subscribe(message)
            task = self.operations[message["id"]].task
        except BaseException:
            release()
            raise
        assert task is not None  # noqa: S101
        task.add_done_callback(release)

    @staticmethod
    def _get_pre_execution_close_reason(error: object) -> str | None:  # noqa: ARG004
        """Return None: a syntax error ends its operation, not the connection with all others."""
        return None

    def _check_operation_limit(self) -> None:
        """Raise HttpError (TOO_MANY_OPERATIONS) if the maximum number of operations is running."""
        limit = self.max_subscriptions_per_connection
        if limit is not None and len(self.operations) >= limit:
            message = f"Too many concurrent operations on this WebSocket (limit {limit:,}); complete one first."
            raise HttpError("TOO_MANY_OPERATIONS", message, status=429)

    async def run_operation(self, operation: Operation[RequestContext, None]) -> None:
        """Run the operation and log it when it has ended.

        It waits while earlier results are unread. A subscription waits for each of its events instead, and a mutation has no
        slot while it waits for its batch (`resolvers.context.ResultSlot`).
        """
        kind = await cast("StreamingSchema", self.schema).get_kind(operation.query, operation.operation_name)
        slot = ResultSlot(self._result_slots)
        current_result_slot.set(slot)
        async with contextlib.nullcontext() if kind is OperationType.SUBSCRIPTION else slot:
            with self._logged():
                await super().run_operation(operation)

    async def handle_task_exception(self, error: Exception) -> None:
        """Log the error unless it only reports that the client has disconnected."""
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)
