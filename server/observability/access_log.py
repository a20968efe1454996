"""What is told of each request when it has ended: one line in the log, and figures. A request has an id, and its answer has it.

The outermost of our middleware but for traces, so that whatever answers is seen, and a fault is answered here. What is told was
noted on the way (`telemetry.request_record`).
"""

import logging
import math
import re
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.errors import BadRequest, answer_failed
from server.observability.metrics import SUBSCRIPTIONS, count
from telemetry import spans
from telemetry.request_record import SUBSCRIPTION, Notes, current

log = logging.getLogger("ratesgraph.requests")

HEADER = b"x-request-id"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
ROUTES = {"/": "/", "/graphql": "/graphql", "/livez": "/livez", "/readyz": "/readyz", "/metrics": "/metrics"}
PROBES = {"/livez", "/readyz", "/metrics"}
"""They are asked every few seconds, day and night."""
MAX_NAME = 100
OUR_FAULT, FORBIDDEN = 500, 403
OPERATION: Scope = {"type": "websocket", "path": "/graphql"}
"""What is told of an operation on a WebSocket, as if it were a request."""
RawHeaders = Sequence[tuple[bytes, bytes]]
random_bits = Random().getrandbits  # noqa: S311
"""An id is to be another each time, not to be a secret: this takes a tenth of the time of a UUID."""


class Observing:
    """Gives each request an id, and tells of it when it has ended. One that took `slow_seconds` is told as slow."""

    def __init__(self, app: ASGIApp, *, slow_seconds: float) -> None:
        self._app = app
        self._slow_seconds = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, with an answer of our own where that fails."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        notes = take_notes(scope)
        is_http = scope["type"] == "http"
        send_noted = _noting(notes, send) if is_http else _noting_of_socket(notes, send)
        before = current.set(notes)
        began_at = time.perf_counter()
        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if not is_http or notes.status:
                # Too late for an answer: the server breaks the connection off.
                raise
            await answer_failed(Request(scope), error)(scope, receive, send_noted)
        finally:
            if is_http or notes.status:
                tell_of_end(notes, time.perf_counter() - began_at, self._slow_seconds, scope)
            current.reset(before)


class TracedRequests:
    """Has each request traced, around all else, where traces are wanted. On a WebSocket each operation is traced by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http" or spans.tracer is None:
            await self._app(scope, receive, send)
            return
        notes = take_notes(scope)
        facts = {"http.request.method": scope["method"], "http.route": find_route(scope["path"])}
        with spans.tracer.request(" ".join(facts.values()), scope["headers"], facts) as span:
            notes.trace_id = span.trace_id
            try:
                await self._app(scope, receive, send)
            finally:
                found: dict[str, str | int] = {
                    "http.response.status_code": notes.status,
                    "ratesgraph.request_id": notes.request_id.decode(),
                    "ratesgraph.cache": notes.cache,
                    "error.type": notes.codes[0] if notes.codes else "",
                }
                span.describe({name: value for name, value in found.items() if value})


def _noting(notes: Notes, send: Send) -> Send:
    """Return what sends a response with the request's id, and notes its status."""
    header = (HEADER, notes.request_id)

    # It is awaited at once. A coroutine around another would take as long again.
    def send_noted(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            # There is a status already where the connection has answered, as the request did not arrive.
            notes.status = notes.status or message["status"]
            message["headers"] = [*message.get("headers", ()), header]
        return send(message)

    return send_noted


def _noting_of_socket(notes: Notes, send: Send) -> Send:
    """Return the same for a WebSocket, whose status is that of a refusal; what goes on on an open one is told by itself."""
    header = (HEADER, notes.request_id)
    is_open = False

    async def send_noted(message: Message) -> None:
        nonlocal is_open
        kind = message["type"]
        if kind == "websocket.accept":
            is_open = True
        elif kind == "websocket.http.response.start":
            notes.status = notes.status or message["status"]
        elif kind == "websocket.close" and not is_open:
            notes.status = FORBIDDEN
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            message["headers"] = [*message.get("headers", ()), header]
        await send(message)

    return send_noted


def tell_of_end(notes: Notes, seconds: float, slow_seconds: float, scope: Scope | None) -> None:
    """Count a request that has ended, and tell of it in the log. Of one that was no HTTP there is no scope."""
    count(notes, seconds)
    is_slow = seconds > slow_seconds and notes.kind != SUBSCRIPTION
    is_our_fault = notes.status == OUR_FAULT or "INTERNAL_ERROR" in notes.codes
    level = logging.WARNING if is_slow or is_our_fault else logging.INFO
    if log.isEnabledFor(level):
        if level == logging.INFO and scope is not None and scope["path"] in PROBES:
            level = logging.DEBUG
        event = "slow request" if is_slow else "failed request" if is_our_fault else "request"
        log.log(level, event, extra=describe(notes, seconds) | _describe_way(scope))


def tell_of_refusal(refusal: BadRequest, headers: RawHeaders, seconds: float) -> bytes:
    """Tell of a request that is refused before the application knows of it; return its id."""
    notes = Notes(find_id(headers))
    notes.status, notes.codes = refusal.status, (refusal.code,)
    # It may have taken long to arrive; that is no slowness of ours.
    tell_of_end(notes, seconds, math.inf, None)
    return notes.request_id


def take_notes(scope: Scope) -> Notes:
    """Return the notes of a request, the same to whoever asks: the connection may have to answer instead of the application."""
    notes: Notes | None = scope.get("notes")
    if notes is None:
        notes = scope["notes"] = Notes(find_id(scope["headers"]), watch)
    return notes


def find_id(headers: RawHeaders) -> bytes:
    """Return the id that the request came with, if it is one, or a new one."""
    for name, value in headers:
        if name == HEADER and REQUEST_ID.fullmatch(value):
            return value
    return b"%016x" % random_bits(64)


def find_route(path: str) -> str:
    """Return which of our addresses was asked; the path itself may be anything."""
    known = ROUTES.get(path)
    return known or ("/batches/{id}/rejections.csv" if path.startswith("/batches/") else "none")


def _describe_way(scope: Scope | None) -> dict[str, Any]:
    """Return how a request came."""
    if scope is None:
        return {}
    way = {"method": scope["method"]} if scope["type"] == "http" else {"transport": "websocket"}
    return way | {"route": find_route(scope["path"])}


def describe(notes: Notes, seconds: float) -> dict[str, Any]:
    """Return what a line tells of a request, or of an operation on a WebSocket."""
    told = {
        "request_id": notes.request_id.decode(),
        "kind": notes.kind,
        "operation": notes.operation and notes.operation[:MAX_NAME],
        "caller": notes.caller,
        "status": notes.status,
        "codes": list(notes.codes),
        "duration_ms": round(seconds * 1_000, 2),
        "rows": notes.rows,
        "cache": notes.cache,
    }
    return {name: value for name, value in told.items() if value or (value == 0 and name == "rows")}


@contextmanager
def _tracing_operation(tracer: spans.Tracer, notes: Notes | None) -> Iterator[None]:
    with tracer.request("WebSocket /graphql", (), {"network.protocol.name": "websocket"}) as span:
        if notes is not None:
            notes.trace_id = span.trace_id
        yield


@contextmanager
def telling_of_operation(slow_seconds: float) -> Iterator[None]:
    """Tell of the operation of a WebSocket whose task this is, or of a message that is refused, when it has ended."""
    notes = current.get()
    began_at = time.perf_counter()
    try:
        with spans.NOTHING if spans.tracer is None else _tracing_operation(spans.tracer, notes):
            yield
    finally:
        if notes is not None:
            tell_of_end(notes, time.perf_counter() - began_at, slow_seconds, OPERATION)


@contextmanager
def watch(notes: Notes) -> Iterator[None]:
    """Tell that a subscription is open. That it has ended, and how long it lasted, is told by the line of its request."""
    if log.isEnabledFor(logging.INFO):
        log.info("subscription", extra=describe(notes, 0))
    SUBSCRIPTIONS.inc()
    try:
        yield
    finally:
        SUBSCRIPTIONS.dec()
