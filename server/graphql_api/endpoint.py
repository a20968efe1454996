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

from graph.execution.authorization import UPLOADING, NotAdmitted, admit, may_introspect
from graph.execution.executable_schema import ONLY_QUERIES, QUERIES_AND_MUTATIONS, OperationRefused, Outcome
from graph.execution.streaming import StreamingSchema
from resolvers.context import RequestContext
from server.auth.access_control import Admission, tell
from server.auth.identity import Identity
from server.graphql_api.persisted_documents import PersistedDocuments
from server.graphql_api.response import HIT, MISS, UNCACHED, Headers, Reply
from server.graphql_api.response_cache import Answer, Answers
from server.graphql_api.sse import send_events
from server.http.body_limit import BodyLimits
from server.http.content_negotiation import JSON, RESPONSE_JSON, is_json, read_accept
from server.http.csrf import Origins, check_address, check_preflight
from server.http.errors import BadRequest, not_admitted, unanswered
from server.http.multipart import is_form, reading_form
from server.http.request_params import Parameters, read_address, read_body
from telemetry.request_record import UNCHANGED, note_cache

METHODS = {"GET", "POST"}
REPORTED_COST, ONLY_COST = b"report", b"only"
State = Mapping[str, Any]


class ClientGone(Exception):
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
        origins: Origins,
        *,
        max_age: int,
        body_limits: BodyLimits,
        reads_are_open: bool,
    ) -> None:
        self._schema = schema
        self._explorer = explorer
        self._sockets = sockets
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
            await self._sockets(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        if len(headers) < len(scope["headers"]):
            # Lines of one name are one list (RFC 9110, 5.3).
            headers[b"accept"] = b", ".join(value for name, value in scope["headers"] if name == b"accept")
        wanted = read_accept(headers.get(b"accept", b""))
        method, query_string = scope["method"], scope["query_string"]
        reply = Reply(send, headers, wanted.media_type or JSON, self._vary)
        try:
            admission: Admission = scope["state"]["admission"]
            identity, reply.fields = await admission.admit(scope, headers)
            reply.caller = identity.caller
            if wanted.page and method == "GET" and not _is_question(read_address(query_string)):
                if not may_introspect(RequestContext(scope["state"]["shared"], reply.caller)):
                    raise BadRequest("NOT_FOUND", "There is no page here, only answers to queries.", status=404)
                await self._explorer(scope, receive, tell(send, reply.fields))
                return
            self._origins.check(headers)
            if reply.wants_cost is not None and reply.wants_cost not in {REPORTED_COST, ONLY_COST}:
                raise BadRequest("BAD_PARAMETER", "The header GraphQL-Cost is neither `report` nor `only`.")
            if wanted.events and method in METHODS:
                with admission.places.take(admission.name(scope, identity)):
                    await self._answer_events(scope, receive, send, reply, identity)
                return
            if wanted.media_type is None:
                message = "Answers are application/json or application/graphql-response+json."
                raise BadRequest("NOT_ACCEPTABLE", message, status=406)
            if method == "GET":
                check_address(headers, names_json=wanted.names_json)
                await self._answer_query(query_string, scope["state"], reply)
            elif method != "POST":
                message = f"{method} is not taken here: send GET or POST."
                raise BadRequest("METHOD_NOT_ALLOWED", message, status=405, headers={b"allow": b"GET, POST"})
            elif is_form(headers.get(b"content-type", b"")):
                await self._answer_form(scope, receive, reply)
            else:
                await self._answer_body(await self._receive_json(receive, reply), scope["state"], reply)
        except BadRequest as error:
            await reply.refuse(error)
        except ClientGone:
            return

    def _bound(self, receive: Receive, reply: Reply) -> Receive:
        """Return what receives the body, as large as its sender may send. Raise BadRequest (PAYLOAD_TOO_LARGE)."""
        return self._body_limits.bound(receive, reply.request, may_upload=reply.caller.scopes >= UPLOADING)

    def _receive_json(self, receive: Receive, reply: Reply) -> Awaitable[bytes]:
        """Return the body, if it says that it is JSON. Raise BadRequest (UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE)."""
        if not is_json(reply.request.get(b"content-type", b"")):
            message = "The body is not application/json in UTF-8: say so in Content-Type."
            raise BadRequest("UNSUPPORTED_MEDIA_TYPE", message, status=415)
        return _receive_body(self._bound(receive, reply))

    async def _answer_events(
        self, scope: Scope, receive: Receive, send: Send, reply: Reply, identity: Identity
    ) -> None:
        """Answer with a stream of events: any operation, but by GET no mutation."""
        if reply.wants_cost:
            message = (
                "A stream does not tell its cost: GraphQL-Cost is for answers in JSON, by Accept: application/json."
            )
            raise BadRequest("BAD_PARAMETER", message)
        if scope["method"] == "GET":
            parameters, kinds = read_address(scope["query_string"]), ONLY_QUERIES
        else:
            parameters, kinds = read_body(await self._receive_json(receive, reply)), QUERIES_AND_MUTATIONS
        results = await self._schema.stream(
            self._documents.find_text(parameters),
            parameters.variables,
            RequestContext(scope["state"]["shared"], reply.caller),
            operation_name=parameters.operation_name,
            allowed_operation_types=kinds,
        )
        await send_events(results, identity, scope, receive, tell(send, reply.fields))

    async def _answer_query(self, query_string: bytes, state: State, reply: Reply) -> None:
        if reply.wants_cost:
            await self._answer_with_cost(read_address(query_string), "GET", state, reply)
            return
        answers: Answers = state["answers"]
        may_read = reply.caller.may_read
        tag = answers.name(query_string) if may_read else None
        cached: Headers = {b"etag": tag, b"cache-control": self._cache_control} if tag else UNCACHED
        if tag and self._max_age:
            # Others may be given this answer without our being asked: what is left is not theirs.
            reply.fields = []
        if tag and tag in reply.request.get(b"if-none-match", b""):
            # Only we can have given this tag, for this question at this version of the data.
            note_cache(UNCHANGED)
            await reply.send_unchanged(cached)
            return
        answer = answers.find(query_string) if may_read else None
        if answer is not None:
            await reply.send_answer(answer, cached | HIT)
            return
        status, answer, is_shared = await self._execute(query_string, read_address(query_string), "GET", state, reply)
        await reply.send_answer(answer, cached | MISS if is_shared else UNCACHED, status)

    async def _answer_body(self, body: bytes, state: State, reply: Reply) -> None:
        if reply.wants_cost:
            await self._answer_with_cost(read_body(body), "POST", state, reply)
            return
        answers: Answers = state["answers"]
        answer = answers.find(body) if reply.caller.may_read else None
        if answer is not None:
            await reply.send_answer(answer, HIT)
            return
        status, answer, is_shared = await self._execute(body, read_body(body), "POST", state, reply)
        await reply.send_answer(answer, MISS if is_shared else UNCACHED, status)

    async def _answer_with_cost(self, parameters: Parameters, method: str, state: State, reply: Reply) -> None:
        """Answer with `extensions.cost`, past the answers that are kept: those go to clients that did not ask for it."""
        status, answer, _ = await self._execute(None, parameters, method, state, reply)
        await reply.send_answer(answer, UNCACHED, status)

    async def _answer_form(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        """Answer an operation with a file, of which nothing is read where its head tells that it is not taken."""
        check_preflight(reply.request)
        try:
            admit(reply.caller, UPLOADING)
        except NotAdmitted as error:
            raise not_admitted(error) from error
        async with reading_form(Request(scope, self._bound(receive, reply))) as parameters:
            status, answer, _ = await self._execute(None, parameters, "POST", scope["state"], reply)
        await reply.send_answer(answer, UNCACHED, status)

    async def _execute(
        self, key: bytes | None, parameters: Parameters, method: str, state: State, reply: Reply
    ) -> tuple[int, Answer, bool]:
        """Return the status, the answer, and whether it is the same for everybody until the data changes."""
        text = self._documents.find_text(parameters)
        version = state["shared"].version.name
        try:
            outcome = await self._schema.answer(
                text,
                parameters.variables,
                parameters.operation_name,
                RequestContext(state["shared"], reply.caller),
                only_queries=method == "GET",
                only_cost=reply.wants_cost == ONLY_COST,
            )
        except OperationRefused as error:
            raise _explain(error) from error
        except NotAdmitted as error:
            raise not_admitted(error) from error
        if outcome.errors and (refusal := unanswered(outcome)):
            raise refusal
        answer = Answer(_encode(outcome, self._schema.limits.max_cost if reply.wants_cost else None))
        is_shared = outcome.is_shared and reply.caller.may_read
        if is_shared and key is not None:
            state["answers"].keep(key, answer, version)
        status = 400 if reply.media_type == RESPONSE_JSON and outcome.errors and not outcome.was_executed else 200
        return status, answer, is_shared


async def _receive_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _is_question(parameters: Parameters) -> bool:
    return bool(parameters.query or parameters.document_id or parameters.extensions)


REFUSALS: dict[str, tuple[int, Headers]] = {
    "UNKNOWN_OPERATION": (400, {}),
    "STREAM_REQUIRED": (406, {}),
    "METHOD_NOT_ALLOWED": (405, {b"allow": b"POST"}),
}


def _explain(refused: OperationRefused) -> BadRequest:
    status, headers = REFUSALS[refused.code]
    return BadRequest(refused.code, str(refused), status=status, headers=headers)


def _encode(outcome: Outcome, max_cost: int | None) -> bytes:
    """Return the body, with the cost beside the most that it may be where that is given."""
    if not outcome.errors and max_cost is None:
        return orjson.dumps({"data": outcome.data})
    body: dict[str, Any] = {"errors": outcome.errors} if outcome.errors else {}
    if outcome.was_executed or not outcome.errors:
        body["data"] = outcome.data
    if max_cost is not None and outcome.cost is not None:
        body["extensions"] = {"cost": {"requested": outcome.cost, "maximum": max_cost}}
    return orjson.dumps(body)
