"""GraphQL over WebSocket, from the handshake on: strawberry's ASGI view, of which nothing else is used.

Its ways to read a request over HTTP know neither our documents nor our limits nor our refusals. So no such request comes to it:
`server.graphql_api.endpoint` answers them all.
"""

import json

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.schema import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from resolvers.caller import Caller
from resolvers.context import RequestContext
from server.graphql_api.persisted_documents import PersistedDocuments
from server.graphql_api.websocket_handler import OrjsonWebSocketAdapter, TransportWSHandler
from server.http.csrf import OriginPolicy


class WebSocketGraphQLView(GraphQL[RequestContext, None]):
    """Serves the schema."""

    websocket_adapter_class = OrjsonWebSocketAdapter

    def __init__(
        self,
        schema: BaseSchema,
        documents: PersistedDocuments,
        origins: OriginPolicy,
        max_websocket_operations: int,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            allowed_origins=origins.allowed,
            max_subscriptions_per_connection=max_websocket_operations,
        )
        self.graphql_transport_ws_handler_class = type("Sockets", (TransportWSHandler,), {"documents": documents})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the connection."""
        if scope["type"] != "websocket":
            raise ValueError("only WebSockets are served by strawberry's view")
        await super().__call__(scope, receive, send)

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002
    ) -> RequestContext:
        """Return what the resolvers share. Who calls is known when the connection is begun."""
        return RequestContext(request.scope["state"]["app_context"], Caller())

    def decode_json(self, data: str | bytes) -> object:
        """Decode a message; the base class expects the standard library's error."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError("not JSON", "", 0) from error
