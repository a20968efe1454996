"""GraphQL beyond single answers in JSON: strawberry's ASGI view for streams, WebSockets and GraphiQL, with a faster JSON."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from cross_web import StarletteRequestAdapter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL

from graph.permissions import NotAdmitted
from resolvers.callers import Caller
from resolvers.context import RequestContext
from server.callers import Callers
from server.errors import BadRequest, not_admitted
from server.media import is_json
from server.origins import Origins
from server.pages import page_headers
from server.parameters import read_address, read_body
from server.persisted import PersistedDocuments
from server.sockets import SocketHandler, TextSocket
from server.streams import EventStream


class GraphQLView(GraphQL[RequestContext, None]):
    """Serves the schema. `make_context` builds the context of a request from the lifespan's state."""

    websocket_adapter_class = TextSocket

    def __init__(
        self,
        schema: BaseSchema,
        make_context: Callable[[Mapping[str, Any], Caller], RequestContext],
        documents: PersistedDocuments,
        origins: Origins,
        max_socket_operations: int,
        *,
        from_delivery: bool,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide="graphiql",
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL],
            allowed_origins=origins.allowed,
            max_subscriptions_per_connection=max_socket_operations,
        )
        self._page_headers = page_headers(self.graphql_ide_html, from_delivery=from_delivery)
        self._make_context = make_context
        self._documents = documents
        self.graphql_transport_ws_handler_class = type("Sockets", (SocketHandler,), {"documents": documents})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        try:
            await super().__call__(scope, receive, send)
        except BadRequest as error:
            await error.to_response()(scope, receive, send)
        except NotAdmitted as error:
            await not_admitted(error).to_response()(scope, receive, send)

    async def parse_http_body(self, request: Any) -> GraphQLRequestData | list[GraphQLRequestData]:  # noqa: ANN401
        """Return what a request for a stream asks for; its document may be sent or named."""
        transport = self._get_stream_transport_from_headers(request.headers)
        if transport is None:
            return await super().parse_http_body(request)
        if request.method == "GET":
            parameters = read_address(urlencode(request.query_params).encode())
        elif is_json((request.content_type or "").encode()):
            parameters = read_body(await request.get_body())
        else:
            message = "The body is not application/json in UTF-8: say so in Content-Type."
            raise BadRequest("UNSUPPORTED_MEDIA_TYPE", message, status=415)
        return GraphQLRequestData(
            query=self._documents.find_text(parameters),
            variables=parameters.variables,
            operation_name=parameters.operation_name,
            extensions=parameters.extensions,
            protocol=transport.protocol,
        )

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002
        """Return the page of GraphiQL."""
        return HTMLResponse(self.graphql_ide_html, headers=self._page_headers)

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002
    ) -> RequestContext:
        """Return what the resolvers of the request share. Raise BadRequest (UNAUTHENTICATED).

        The caller of a WebSocket is known when its connection is begun; whoever opens the explorer's page need not be known.
        """
        caller = Caller()
        if isinstance(request, Request) and not self.should_render_graphql_ide(StarletteRequestAdapter(request)):
            callers: Callers = request.state.callers
            request.state.identity = await callers.recognise(dict(request.scope["headers"]))
            caller = request.state.identity.caller
        return self._make_context(request.scope["state"], caller)

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        """Answer with the events of the stream, as long as the server runs and its caller is to be believed."""
        ends = [request.state.stopping.wait, request.state.identity.outlast]
        return EventStream(stream(), ends, headers={**sub_response.headers, **headers})

    def decode_json(self, data: str | bytes) -> object:
        """Decode a body; the base class expects the standard library's error."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError("not JSON", "", 0) from error

    def encode_json(self, data: object) -> bytes:
        """Encode an answer."""
        return orjson.dumps(data)
