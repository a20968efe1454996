"""HTTP responses of the GraphQL endpoint: headers, encoding, compression.

Event streams (`sse`) and the GraphiQL page send their own responses; `endpoint` adds the rate-limit headers to them.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.types import Scope, Send

from graph.execution.document_limits import QueryLimits
from graph.execution.executable_schema import OperationResult
from graph.execution.streaming import LOCATION_ALIASES
from resolvers.caller import Caller
from resolvers.context import RequestContext
from server.auth.access_control import AccessControl
from server.auth.identity import Identity
from server.graphql_api.consistency_tokens import VERSION_HEADER
from server.graphql_api.response_cache import CachedResponse
from server.http.content_negotiation import CONTENT_TYPES, JSON, AcceptedMedia, accepts_gzip
from server.http.errors import HttpError
from server.rate_limiting.fixed_window import HeaderList
from telemetry.request_record import record_unsent

COST_HEADER = b"graphql-cost"
MIN_COMPRESSED_BYTES = 1_400
"""Shorter bodies fit into one packet and are not compressed."""
MAX_BYTES_ON_LOOP = 200_000
"""Length above which bodies are compressed in a thread.

Compressing this many bytes blocks the event loop for one to two milliseconds.
"""
Headers = dict[bytes, bytes]

HIT: Headers = {b"cache-status": b"ratesgraph; hit"}
MISS: Headers = {b"cache-status": b"ratesgraph; fwd=miss"}
NO_STORE: Headers = {b"cache-control": b"private, no-store"}


class ResponseWriter:
    """Writer of the response to one request.

    Attributes:
        request: the headers of the request.
        accepted: the result of content negotiation.
        media_type: the media type of a single response.
        cost_mode: the value of the GraphQL-Cost header, if any.
        identity, caller: the authenticated caller.
        asgi_send: the function that sends the messages of the response.
        reads_primary: whether this process may lack changes that the client asks for (`server.graphql_api.consistency_tokens`).
        token: the consistency token of the response, if it has one.
        rate_limit_headers: RateLimit, then RateLimit-Policy; empty if there is no limit or another caller may see them.
        reserved_bytes: the room that was reserved for a large body (`server.http.large_bodies`).
    """

    reserved_bytes = 0
    reads_primary = False
    token: bytes | None = None
    caller = Caller()
    identity = Identity(caller)
    rate_limit_headers: HeaderList = []  # noqa: RUF012

    def __init__(self, send: Send, request: Headers, accepted: AcceptedMedia, vary: bytes) -> None:
        self.asgi_send = send
        self.request = request
        self.accepted = accepted
        self.media_type = accepted.media_type or JSON
        self._vary = vary
        self.cost_mode = request.get(COST_HEADER)

    @property
    def bypasses_cache(self) -> bool:
        """Return whether the response must neither come from the cache nor be stored in it.

        This applies to responses with `extensions.cost`, to callers without the read scope, and to event streams. It also
        applies to clients that ask for changes which only the primary is certain to have.
        """
        return (
            bool(self.cost_mode) or not self.caller.can_read or self.accepted.media_type is None or self.reads_primary
        )

    def create_context(self, scope: Scope) -> RequestContext:
        """Return the context of an operation of this request."""
        context = RequestContext(scope["state"]["app_context"], self.caller)
        context.reads_primary = self.reads_primary
        return context

    async def authenticate_again(self, scope: Scope) -> None:
        """Raise HttpError if the caller's token expired or was revoked while the body arrived."""
        access_control: AccessControl = scope["state"]["access_control"]
        self.identity = await access_control.authenticate(scope, self.request)
        self.caller = self.identity.caller

    def unshared_headers(self) -> Headers:
        """Return the headers of a response that is not shared."""
        return NO_STORE if self.token is None else NO_STORE | {VERSION_HEADER: self.token}

    async def send_cached(self, response: CachedResponse, headers: Headers, status: int = 200) -> None:
        """Send a JSON body, compressed with gzip if the client accepts that."""
        length = len(response.body)
        if length < MIN_COMPRESSED_BYTES or not accepts_gzip(self.request.get(b"accept-encoding", b"")):
            await self.send(status, response.body, headers)
            return
        is_long = length > MAX_BYTES_ON_LOOP and response.gzipped is None
        body = await asyncio.to_thread(response.compress) if is_long else response.compress()
        await self.send(status, body, headers | {b"content-encoding": b"gzip"})

    async def send_not_modified(self, headers: Headers) -> None:
        """Send status 304: the client already has the current response.

        Headers that describe a body are omitted (RFC 9110, 15.4.5). So is RateLimit-Policy, the second of the rate-limit
        headers, which the client received with the response.
        """
        own = [(b"vary", self._vary), *self.rate_limit_headers[:1], *headers.items()]
        await self.asgi_send({"type": "http.response.start", "status": 304, "headers": own})
        await self.asgi_send({"type": "http.response.body", "body": b""})

    async def send_error(self, error: HttpError) -> None:
        """Send the error of a request that was not executed."""
        await self.send(error.status, error.body(), NO_STORE | error.headers)

    async def send(self, status: int, body: bytes, headers: Headers) -> None:
        """Send a response with the rate-limit headers and the given ones."""
        own = [
            (b"content-type", CONTENT_TYPES[self.media_type]),
            (b"content-length", str(len(body)).encode()),
            (b"vary", self._vary),
            *self.rate_limit_headers,
            *headers.items(),
        ]
        record_unsent(len(body))
        await self.asgi_send({"type": "http.response.start", "status": status, "headers": own})
        await self.asgi_send({"type": "http.response.body", "body": body})


def encode_result(
    result: OperationResult, reported_limits: QueryLimits | None, used_aliases: Mapping[str, str] | None
) -> bytes:
    """Return the response body.

    In `extensions`, it reports the aliases of locations and, with limits, the estimated cost and the limits.
    """
    if not result.errors and reported_limits is None and used_aliases is None:
        return orjson.dumps({"data": result.data})
    body: dict[str, Any] = {"errors": result.errors} if result.errors else {}
    if result.was_executed or not result.errors:
        body["data"] = result.data
    extensions: dict[str, Any] = {}
    if reported_limits is not None and (estimate := result.estimate) is not None:
        extensions["cost"] = {"requested": estimate.entries, "maximum": reported_limits.max_cost}
        extensions["bytes"] = {"requested": estimate.bytes, "maximum": reported_limits.max_response_bytes}
    if used_aliases is not None:
        extensions[LOCATION_ALIASES] = used_aliases
    if extensions:
        body["extensions"] = extensions
    return orjson.dumps(body)
