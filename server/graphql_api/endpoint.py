"""The `/graphql` endpoint over HTTP: JSON requests, file uploads, event streams, GraphiQL.

Implements https://graphql.github.io/graphql-over-http/draft/ as plain ASGI, for speed. A cached response is sent before
anything is parsed, a document is parsed once, and no object is built per request without need. All HTTP requests pass through
this class. Only WebSockets are delegated, to `server.graphql_api.websocket_view`.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.authorization import UPLOAD_SCOPES, PermissionDenied, require_scopes
from graph.execution.executable_schema import ONLY_QUERIES, QUERIES_AND_MUTATIONS, OperationNotAllowed
from graph.execution.streaming import StreamingSchema
from server.auth.access_control import AccessControl, with_headers
from server.auth.authenticator import MAX_AGE_SECONDS
from server.graphql_api.consistency_tokens import VERSION_HEADER, ConsistencyTokens
from server.graphql_api.page_requests import wants_page
from server.graphql_api.persisted_documents import PersistedDocuments
from server.graphql_api.response import HIT, MISS, NO_STORE, Headers, ResponseWriter, encode_result
from server.graphql_api.response_cache import CachedResponse, CacheKey, ResponseCache
from server.graphql_api.shared_cache.shared_responses import Outcome, SharedResponses
from server.graphql_api.sse import send_sse
from server.http.body_limit import BodyLimits, ClientDisconnected, receive_body
from server.http.content_negotiation import RESPONSE_JSON, is_json, parse_accept
from server.http.csrf import OriginPolicy, require_csrf_header, require_csrf_safe_get
from server.http.errors import HttpError, forbidden, http_error_for_outcome, operation_not_allowed
from server.http.large_bodies import LargeBodies
from server.http.multipart import is_multipart, parsed_multipart_request
from server.http.request_headers import parse_headers
from server.http.request_params import Parameters, parse_body, parse_query_string
from telemetry.request_record import UNCHANGED, record_cache

REPORTED_COST, ONLY_COST = b"report", b"only"
State = Mapping[str, Any]


class GraphQLEndpoint:
    """ASGI application that negotiates, authorizes and serves requests to `/graphql`.

    It delegates pages to `graphiql` and WebSockets to `websockets`. The state of the lifespan supplies `access_control`,
    `response_cache` and `app_context`. Cached responses are the same for all callers with the read scope. For other callers
    the cache is neither read nor written.
    """

    def __init__(
        self,
        schema: StreamingSchema,
        graphiql: ASGIApp,
        websockets: ASGIApp,
        documents: PersistedDocuments,
        origins: OriginPolicy,
        *,
        max_age: int,
        body_limits: BodyLimits,
        reads_are_open: bool,
    ) -> None:
        self._schema = schema
        self._graphiql = graphiql
        self._websockets = websockets
        self._documents = documents
        self._origins = origins
        self._body_limits = body_limits
        self._max_age = max_age
        visibility, also_varies_by = ("public", b"") if reads_are_open else ("private", b", Authorization")
        self._cache_control = f"{visibility}, max-age={max_age}, must-revalidate".encode()
        self._vary = b"Accept, Accept-Encoding, GraphQL-Cost, Ratesgraph-Version" + also_varies_by

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request. Exceptions that refuse it become error responses."""
        if scope["type"] != "http":
            await self._websockets(scope, receive, send)
            return
        headers = parse_headers(scope["headers"])
        accepted = parse_accept(headers.get(b"accept", b""))
        writer = ResponseWriter(send, headers, accepted, self._vary)
        try:
            access_control: AccessControl = scope["state"]["access_control"]
            identity, writer.rate_limit_headers = await access_control.authorize(scope, headers)
            writer.identity, writer.caller = identity, identity.caller
            if accepted.html and wants_page(scope, writer, self._origins):
                await self._graphiql(scope, receive, with_headers(send, writer.rate_limit_headers))
                return
            method = scope["method"]
            self._negotiate(method, writer)
            if VERSION_HEADER in headers:
                tokens: ConsistencyTokens = scope["state"]["consistency_tokens"]
                writer.reads_primary = not await tokens.has_received(headers[VERSION_HEADER])
            if method == "GET":
                await self._serve_get(scope, receive, writer)
            elif is_multipart(headers.get(b"content-type", b"")):
                await self._serve_multipart(scope, receive, writer)
            else:
                await self._serve_post(scope, receive, writer)
        except HttpError as error:
            await writer.send_error(error)
        except PermissionDenied as error:
            await writer.send_error(forbidden(error))
        except ClientDisconnected:
            return
        finally:
            if writer.reserved_bytes:
                scope["state"]["large_bodies"].release(writer.reserved_bytes)

    def _negotiate(self, method: str, writer: ResponseWriter) -> None:
        """Check the origin, method and headers. Raise HttpError if no response can satisfy them.

        This precedes the execution: a mutation must not be applied if the client cannot read the response.
        """
        self._origins.check(writer.request)
        if writer.cost_mode is not None and writer.cost_mode not in {REPORTED_COST, ONLY_COST}:
            raise HttpError("BAD_PARAMETER", "The GraphQL-Cost header must be `report` or `only`.")
        accepted = writer.accepted
        if accepted.media_type is None and not accepted.events:
            message = (
                "Not acceptable: this endpoint produces application/json, application/graphql-response+json or, if "
                "named, text/event-stream."
            )
            raise HttpError("NOT_ACCEPTABLE", message, status=406)
        if method == "GET":
            require_csrf_safe_get(writer.request, names_format=accepted.names_format)
        elif method != "POST":
            message = f"Method {method} is not allowed; use GET or POST."
            raise HttpError("METHOD_NOT_ALLOWED", message, status=405, headers={b"allow": b"GET, POST"})

    async def _serve_events(
        self, parameters: Parameters, scope: Scope, receive: Receive, writer: ResponseWriter
    ) -> None:
        """Send the results of an operation as server-sent events. GET cannot run mutations."""
        if writer.cost_mode:
            message = "GraphQL-Cost is not supported for event streams; send Accept: application/json."
            raise HttpError("BAD_PARAMETER", message)
        access_control: AccessControl = scope["state"]["access_control"]
        with access_control.stream_limiter.acquire(access_control.stream_owner(scope, writer.identity)):
            results = await self._schema.stream(
                self._documents.resolve_document(parameters),
                parameters.variables,
                writer.create_context(scope),
                operation_name=parameters.operation_name,
                allowed_operation_types=ONLY_QUERIES if scope["method"] == "GET" else QUERIES_AND_MUTATIONS,
            )
            send = with_headers(writer.asgi_send, writer.rate_limit_headers)
            await send_sse(results, writer.identity, scope, receive, send)

    async def _needs_stream(self, parameters: Parameters, writer: ResponseWriter) -> bool:
        """Return whether the response is an event stream.

        It is one for a subscription, or if the client accepts no JSON.
        """
        accepted = writer.accepted
        if not accepted.events or accepted.media_type is None:
            return accepted.events
        text = self._documents.resolve_document(parameters)
        return await self._schema.is_subscription(text, parameters.operation_name)

    async def _serve_get(self, scope: Scope, receive: Receive, writer: ResponseWriter) -> None:
        """Serve a query in the query string: with 304, from the cache, or by execution."""
        query_string, state = scope["query_string"], scope["state"]
        if writer.bypasses_cache:
            await self._serve_parsed(parse_query_string(query_string), None, {}, scope, receive, writer)
            return
        cache: ResponseCache = state["response_cache"]
        key = ("GET", query_string)
        etag = cache.etag(key)
        headers: Headers = {b"etag": etag, b"cache-control": self._cache_control} if etag else NO_STORE
        if etag and self._max_age:
            # Shared caches may send this response to other callers, so it must not carry this caller's rate limit.
            writer.rate_limit_headers = []
        if etag and etag in writer.request.get(b"if-none-match", b""):
            # An equal ETag can only come from this endpoint, for the same request at the same data version.
            record_cache(UNCHANGED)
            await writer.send_not_modified(headers)
            return
        response = cache.get(key)
        if response is not None:
            await writer.send_cached(response, headers | HIT)
            return
        await self._serve_parsed(parse_query_string(query_string), key, headers, scope, receive, writer)

    async def _serve_post(self, scope: Scope, receive: Receive, writer: ResponseWriter) -> None:
        """Serve an operation in a JSON body, from the cache if possible."""
        body = await self._receive_json(scope, receive, writer)
        if writer.bypasses_cache:
            await self._serve_parsed(parse_body(body), None, {}, scope, receive, writer)
            return
        key = ("POST", body)
        response = scope["state"]["response_cache"].get(key)
        if response is not None:
            await writer.send_cached(response, HIT)
            return
        await self._serve_parsed(parse_body(body), key, {}, scope, receive, writer)

    async def _serve_multipart(self, scope: Scope, receive: Receive, writer: ResponseWriter) -> None:
        """Serve an operation with a file. Headers and scopes are checked before the body is read."""
        require_csrf_header(writer.request)
        require_scopes(writer.caller, UPLOAD_SCOPES)
        request = Request(scope, self._limit_body(receive, writer))
        disk_space = scope["state"]["app_context"].disk_space
        async with parsed_multipart_request(request, disk_space) as parameters:
            await writer.authenticate_again(scope)
            if await self._needs_stream(parameters, writer):
                await self._serve_events(parameters, scope, receive, writer)
                return
            status, response, _ = await self._execute(None, parameters, scope, writer)
        await writer.send_cached(response, writer.unshared_headers(), status)

    async def _serve_parsed(
        self,
        parameters: Parameters,
        cache_key: CacheKey | None,
        headers: Headers,
        scope: Scope,
        receive: Receive,
        writer: ResponseWriter,
    ) -> None:
        """Execute the operation. Send `headers` with a response that may be shared."""
        if await self._needs_stream(parameters, writer):
            await self._serve_events(parameters, scope, receive, writer)
            return
        status, response, is_shared = await self._execute(cache_key, parameters, scope, writer)
        await writer.send_cached(response, headers | MISS if is_shared else writer.unshared_headers(), status)

    def _limit_body(self, receive: Receive, writer: ResponseWriter) -> Receive:
        """Return `receive` with the caller's body limit. Raise HttpError if the body exceeds it."""
        may_upload = writer.caller.scopes >= UPLOAD_SCOPES
        return self._body_limits.limit_receive(receive, writer.request, may_upload=may_upload)

    async def _receive_json(self, scope: Scope, receive: Receive, writer: ResponseWriter) -> bytes:
        """Return the JSON body.

        Raise HttpError (UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, and the errors of `AccessControl.authenticate`).
        """
        if not is_json(writer.request.get(b"content-type", b"")):
            message = "Content-Type must be application/json in UTF-8 (or multipart/form-data for file uploads)."
            raise HttpError("UNSUPPORTED_MEDIA_TYPE", message, status=415)
        started_at = time.monotonic()
        receive = self._limit_body(receive, writer)
        large_bodies: LargeBodies = scope["state"]["large_bodies"]
        if writer.caller.scopes >= UPLOAD_SCOPES:
            writer.reserved_bytes = await large_bodies.reserve(large_bodies.expected_size(writer.request))
        body = await receive_body(receive)
        if writer.reserved_bytes:
            await large_bodies.wait_for_turn()
        if time.monotonic() > started_at + MAX_AGE_SECONDS:
            await writer.authenticate_again(scope)
        return body

    async def _execute(
        self, cache_key: CacheKey | None, parameters: Parameters, scope: Scope, writer: ResponseWriter
    ) -> Outcome:
        """Return the status, the response, and whether it may be shared until the data changes.

        Shared responses are cached under `cache_key`. None means that the response must not reach other callers. Raise
        HttpError or PermissionDenied.
        """
        state: State = scope["state"]
        document, version = self._documents.resolve_document(parameters), state["app_context"].version.name
        compute = partial(self._compute, document, parameters, scope, writer)
        if cache_key is None:
            status, response, _ = await compute()
            return status, response, False
        shared: SharedResponses | None = state["shared_responses"]
        if shared is not None and await shared.accepts(self._schema, document, parameters, writer.caller):
            version = state["app_context"].version.name
            compute = partial(shared.compute_once, document, parameters, compute)
        status, response, is_shared = await compute()
        if is_shared:
            state["response_cache"].put(cache_key, response, version)
        return status, response, is_shared

    async def _compute(self, document: str, parameters: Parameters, scope: Scope, writer: ResponseWriter) -> Outcome:
        """Execute the operation, past all caches."""
        context = writer.create_context(scope)
        try:
            result = await self._schema.execute_operation(
                document,
                parameters.variables,
                parameters.operation_name,
                context,
                only_queries=scope["method"] == "GET",
                only_cost=writer.cost_mode == ONLY_COST,
            )
        except OperationNotAllowed as error:
            raise operation_not_allowed(error) from error
        if result.errors and (http_error := http_error_for_outcome(result)):
            raise http_error
        if result.reports_changes:
            writer.token = await scope["state"]["consistency_tokens"].issue()
        limits = self._schema.limits if writer.cost_mode else None
        response = CachedResponse(encode_result(result, limits, context.used_aliases))
        is_request_error = writer.media_type == RESPONSE_JSON and result.errors and not result.was_executed
        return 400 if is_request_error else 200, response, result.is_shared
