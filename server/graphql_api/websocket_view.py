"""GraphQL over WebSocket: strawberry's ASGI view, used for WebSocket connections only.

HTTP requests never reach the view, because it would bypass persisted documents, limits and error responses.
`server.graphql_api.endpoint` serves them.
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
from server.graphql_api.websocket_adapter import OrjsonWebSocketAdapter
from server.graphql_api.websocket_handler import TransportWSHandler
from server.http.csrf import OriginPolicy, cross_site_refused


class WebSocketGraphQLView(GraphQL[RequestContext, None]):
    """ASGI view of the schema for WebSocket connections."""

    websocket_adapter_class = OrjsonWebSocketAdapter

    def __init__(
        self,
        schema: BaseSchema,
        documents: PersistedDocuments,
        origins: OriginPolicy,
        max_operations: int,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            allowed_origins=origins.allowed,
            max_subscriptions_per_connection=max_operations,
        )
        self.graphql_transport_ws_handler_class = type("Sockets", (TransportWSHandler,), {"documents": documents})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the connection. Raise ValueError for an HTTP request."""
        if scope["type"] != "websocket":
            raise ValueError("the view serves only WebSocket connections")
        await super().__call__(scope, receive, send)

    async def reject_websocket(self, request: WebSocket) -> WebSocket:  # noqa: ARG002
        """Raise HttpError (CROSS_SITE_REFUSED) for a page of an origin that is not allowed."""
        raise cross_site_refused()

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002
    ) -> RequestContext:
        """Return the context of the connection. `connection_init` sets the caller later."""
        return RequestContext(request.scope["state"]["app_context"], Caller())

    def decode_json(self, data: str | bytes) -> object:
        """Decode a message. Raise the error of the standard library, as the base class expects."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError("not JSON", "", 0) from error
