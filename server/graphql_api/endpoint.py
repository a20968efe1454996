"""GraphQL over HTTP: queries and mutations in JSON or with a file, as nearly all requests are; event streams; and GraphiQL.

Plain ASGI, for speed: an answer that is kept leaves before anything is parsed, a document is parsed once, and nothing is
built per request that need not be. This is the only door for HTTP, whatever a request says that it wants: WebSockets alone
are left to `server.graphql_api.websocket_view`.
Rules: https://graphql.github.io/graphql-over-http/draft/
"""

from collections.abc import Awaitable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.execution.authorization import UPLOAD_SCOPES, PermissionDenied, may_introspect, require_scopes
from graph.execution.executable_schema import ONLY_QUERIES, QUERIES_AND_MUTATIONS, OperationNotAllowed, OperationResult
from graph.execution.streaming import StreamingSchema
from resolvers.context import RequestContext
from server.auth.access_control import AccessControl, with_headers
from server.auth.identity import Identity
from server.graphql_api.persisted_documents import PersistedDocuments
from server.graphql_api.response import HIT, MISS, NO_STORE, Headers, ResponseWriter
from server.graphql_api.response_cache import CachedResponse, ResponseCache
from server.graphql_api.sse import send_sse
from server.http.body_limit import BodyLimits
from server.http.content_negotiation import JSON, RESPONSE_JSON, is_json, parse_accept
from server.http.csrf import OriginPolicy, require_csrf_header, require_csrf_safe_get
from server.http.errors import HttpError, forbidden, http_error_for_outcome
from server.http.multipart import is_multipart, parsed_multipart_request
from server.http.request_params import Parameters, parse_body, parse_query_string
from telemetry.request_record import UNCHANGED, record_cache

METHODS = {"GET", "POST"}
REPORTED_COST, ONLY_COST = b"report", b"only"
State = Mapping[str, Any]


class ClientDisconnected(Exception):
    """The client has left before its request was there."""


class GraphQLEndpoint:
    """Answers requests over HTTP. The page is that of `explorer`; WebSockets go on to `sockets`.

    The lifespan's state has the `answers` that are kept, the `version` of the data, and the `admission` of callers. Kept
    answers are the same for all who may read, and are neither looked for nor kept for anybody else.
    """

    def __init__(
        self,
        schema: StreamingSchema,
        explorer: ASGIApp,
        sockets: ASGIApp,
        documents: PersistedDocuments,
        origins: OriginPolicy,
        *,
        max_age: int,
        body_limits: BodyLimits,
        reads_are_open: bool,
    ) -> None:
        self._schema = schema
        self._graphiql = explorer
        self._websockets = sockets
        self._documents = documents
        self._origins = origins
        self._body_limits = body_limits
        self._max_age = max_age
        whose, own = ("public", b"") if reads_are_open else ("private", b", Authorization")
        self._cache_control = f"{whose}, max-age={max_age}, must-revalidate".encode()
        self._vary = b"Accept, Accept-Encoding, GraphQL-Cost" + own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or hand it on."""
        if scope["type"] != "http":
            await self._websockets(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        if len(headers) < len(scope["headers"]):
            # Lines of one name are one list (RFC 9110, 5.3).
            headers[b"accept"] = b", ".join(value for name, value in scope["headers"] if name == b"accept")
        wanted = parse_accept(headers.get(b"accept", b""))
        method, query_string = scope["method"], scope["query_string"]
        reply = ResponseWriter(send, headers, wanted.media_type or JSON, self._vary)
        try:
            admission: AccessControl = scope["state"]["access_control"]
            identity, reply.extra_headers = await admission.authorize(scope, headers)
            reply.caller = identity.caller
            if wanted.html and method == "GET" and not _has_query_params(parse_query_string(query_string)):
                if not may_introspect(RequestContext(scope["state"]["app_context"], reply.caller)):
                    raise HttpError("NOT_FOUND", "There is no page here, only answers to queries.", status=404)
                await self._graphiql(scope, receive, with_headers(send, reply.extra_headers))
                return
            self._origins.check(headers)
            if reply.cost_mode is not None and reply.cost_mode not in {REPORTED_COST, ONLY_COST}:
                raise HttpError("BAD_PARAMETER", "The header GraphQL-Cost is neither `report` nor `only`.")
            if wanted.events and method in METHODS:
                with admission.stream_limiter.acquire(admission.stream_owner(scope, identity)):
                    await self._serve_sse(scope, receive, send, reply, identity)
                return
            if wanted.media_type is None:
                message = "Answers are application/json or application/graphql-response+json."
                raise HttpError("NOT_ACCEPTABLE", message, status=406)
            if method == "GET":
                require_csrf_safe_get(headers, names_json=wanted.names_json)
                await self._serve_get(query_string, scope["state"], reply)
            elif method != "POST":
                message = f"{method} is not taken here: send GET or POST."
                raise HttpError("METHOD_NOT_ALLOWED", message, status=405, headers={b"allow": b"GET, POST"})
            elif is_multipart(headers.get(b"content-type", b"")):
                await self._serve_multipart(scope, receive, reply)
            else:
                await self._serve_body(await self._receive_json(receive, reply), scope["state"], reply)
        except HttpError as error:
            await reply.send_error(error)
        except ClientDisconnected:
            return

    def _limit_body(self, receive: Receive, reply: ResponseWriter) -> Receive:
        """Return what receives the body, as large as its sender may send. Raise BadRequest (PAYLOAD_TOO_LARGE)."""
        return self._body_limits.limit_receive(receive, reply.request, may_upload=reply.caller.scopes >= UPLOAD_SCOPES)

    def _receive_json(self, receive: Receive, reply: ResponseWriter) -> Awaitable[bytes]:
        """Return the body, if it says that it is JSON. Raise BadRequest (UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE)."""
        if not is_json(reply.request.get(b"content-type", b"")):
            message = "The body is not application/json in UTF-8: say so in Content-Type."
            raise HttpError("UNSUPPORTED_MEDIA_TYPE", message, status=415)
        return _receive_body(self._limit_body(receive, reply))

    async def _serve_sse(
        self, scope: Scope, receive: Receive, send: Send, reply: ResponseWriter, identity: Identity
    ) -> None:
        """Answer with a stream of events: any operation, but by GET no mutation."""
        if reply.cost_mode:
            message = (
                "A stream does not tell its cost: GraphQL-Cost is for answers in JSON, by Accept: application/json."
            )
            raise HttpError("BAD_PARAMETER", message)
        if scope["method"] == "GET":
            parameters, kinds = parse_query_string(scope["query_string"]), ONLY_QUERIES
        else:
            parameters, kinds = parse_body(await self._receive_json(receive, reply)), QUERIES_AND_MUTATIONS
        results = await self._schema.stream(
            self._documents.resolve_document(parameters),
            parameters.variables,
            RequestContext(scope["state"]["app_context"], reply.caller),
            operation_name=parameters.operation_name,
            allowed_operation_types=kinds,
        )
        await send_sse(results, identity, scope, receive, with_headers(send, reply.extra_headers))

    async def _serve_get(self, query_string: bytes, state: State, reply: ResponseWriter) -> None:
        if reply.cost_mode:
            await self._execute_with_cost(parse_query_string(query_string), "GET", state, reply)
            return
        answers: ResponseCache = state["response_cache"]
        may_read = reply.caller.can_read
        tag = answers.etag(query_string) if may_read else None
        cached: Headers = {b"etag": tag, b"cache-control": self._cache_control} if tag else NO_STORE
        if tag and self._max_age:
            # Others may be given this answer without our being asked: what is left is not theirs.
            reply.extra_headers = []
        if tag and tag in reply.request.get(b"if-none-match", b""):
            # Only we can have given this tag, for this question at this version of the data.
            record_cache(UNCHANGED)
            await reply.send_not_modified(cached)
            return
        answer = answers.get(query_string) if may_read else None
        if answer is not None:
            await reply.send_cached(answer, cached | HIT)
            return
        status, answer, is_shared = await self._execute(
            query_string, parse_query_string(query_string), "GET", state, reply
        )
        await reply.send_cached(answer, cached | MISS if is_shared else NO_STORE, status)

    async def _serve_body(self, body: bytes, state: State, reply: ResponseWriter) -> None:
        if reply.cost_mode:
            await self._execute_with_cost(parse_body(body), "POST", state, reply)
            return
        answers: ResponseCache = state["response_cache"]
        answer = answers.get(body) if reply.caller.can_read else None
        if answer is not None:
            await reply.send_cached(answer, HIT)
            return
        status, answer, is_shared = await self._execute(body, parse_body(body), "POST", state, reply)
        await reply.send_cached(answer, MISS if is_shared else NO_STORE, status)

    async def _execute_with_cost(
        self, parameters: Parameters, method: str, state: State, reply: ResponseWriter
    ) -> None:
        """Answer with `extensions.cost`, past the answers that are kept: those go to clients that did not ask for it."""
        status, answer, _ = await self._execute(None, parameters, method, state, reply)
        await reply.send_cached(answer, NO_STORE, status)

    async def _serve_multipart(self, scope: Scope, receive: Receive, reply: ResponseWriter) -> None:
        """Answer an operation with a file, of which nothing is read where its head tells that it is not taken."""
        require_csrf_header(reply.request)
        try:
            require_scopes(reply.caller, UPLOAD_SCOPES)
        except PermissionDenied as error:
            raise forbidden(error) from error
        async with parsed_multipart_request(Request(scope, self._limit_body(receive, reply))) as parameters:
            status, answer, _ = await self._execute(None, parameters, "POST", scope["state"], reply)
        await reply.send_cached(answer, NO_STORE, status)

    async def _execute(
        self, key: bytes | None, parameters: Parameters, method: str, state: State, reply: ResponseWriter
    ) -> tuple[int, CachedResponse, bool]:
        """Return the status, the answer, and whether it is the same for everybody until the data changes."""
        text = self._documents.resolve_document(parameters)
        version = state["app_context"].version.name
        try:
            outcome = await self._schema.execute_operation(
                text,
                parameters.variables,
                parameters.operation_name,
                RequestContext(state["app_context"], reply.caller),
                only_queries=method == "GET",
                only_cost=reply.cost_mode == ONLY_COST,
            )
        except OperationNotAllowed as error:
            raise _to_http_error(error) from error
        except PermissionDenied as error:
            raise forbidden(error) from error
        if outcome.errors and (refusal := http_error_for_outcome(outcome)):
            raise refusal
        answer = CachedResponse(_encode(outcome, self._schema.limits.max_cost if reply.cost_mode else None))
        is_shared = outcome.is_shared and reply.caller.can_read
        if is_shared and key is not None:
            state["response_cache"].put(key, answer, version)
        status = 400 if reply.media_type == RESPONSE_JSON and outcome.errors and not outcome.was_executed else 200
        return status, answer, is_shared


async def _receive_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _has_query_params(parameters: Parameters) -> bool:
    return bool(parameters.query or parameters.document_id or parameters.extensions)


HTTP_ERRORS: dict[str, tuple[int, Headers]] = {
    "UNKNOWN_OPERATION": (400, {}),
    "STREAM_REQUIRED": (406, {}),
    "METHOD_NOT_ALLOWED": (405, {b"allow": b"POST"}),
}


def _to_http_error(refused: OperationNotAllowed) -> HttpError:
    status, headers = HTTP_ERRORS[refused.code]
    return HttpError(refused.code, str(refused), status=status, headers=headers)


def _encode(outcome: OperationResult, max_cost: int | None) -> bytes:
    """Return the body, with the cost beside the most that it may be where that is given."""
    if not outcome.errors and max_cost is None:
        return orjson.dumps({"data": outcome.data})
    body: dict[str, Any] = {"errors": outcome.errors} if outcome.errors else {}
    if outcome.was_executed or not outcome.errors:
        body["data"] = outcome.data
    if max_cost is not None and outcome.cost is not None:
        body["extensions"] = {"cost": {"requested": outcome.cost, "maximum": max_cost}}
    return orjson.dumps(body)
