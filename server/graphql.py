"""GraphQL over HTTP: strawberry's ASGI view, with the request's context and a faster JSON."""

import json
from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.schema import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from resolvers.context import RequestContext


class GraphQLView(GraphQL[RequestContext, None]):
    """Serves the schema. `make_context` builds the context of a request."""

    def __init__(self, schema: BaseSchema, make_context: Callable[[Request], RequestContext]) -> None:
        super().__init__(schema, graphql_ide="graphiql", subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL])
        self._make_context = make_context

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002
    ) -> RequestContext:
        """Return what the resolvers of the request share."""
        return self._make_context(request)  # type: ignore[arg-type]

    def decode_json(self, data: str | bytes) -> object:
        """Decode a body; the base class expects the standard library's error."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError("not JSON", "", 0) from error

    def encode_json(self, data: object) -> bytes:
        """Encode an answer."""
        return orjson.dumps(data)
