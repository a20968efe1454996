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

from server.http.errors import HttpError, handle_unexpected_error
from server.observability.metrics import SUBSCRIPTIONS, record_request
from telemetry import spans
from telemetry.request_record import SUBSCRIPTION, RequestRecord, current_record

log = logging.getLogger("ratesgraph.requests")

REQUEST_ID_HEADER = b"x-request-id"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
ROUTES = {"/": "/", "/graphql": "/graphql", "/livez": "/livez", "/readyz": "/readyz", "/metrics": "/metrics"}
PROBES = {"/livez", "/readyz", "/metrics"}
"""They are asked every few seconds, day and night."""
MAX_NAME = 100
INTERNAL_SERVER_ERROR, FORBIDDEN = 500, 403
OPERATION: Scope = {"type": "websocket", "path": "/graphql"}
"""What is told of an operation on a WebSocket, as if it were a request."""
RawHeaders = Sequence[tuple[bytes, bytes]]
random_bits = Random().getrandbits  # noqa: S311
"""An id is to be another each time, not to be a secret: this takes a tenth of the time of a UUID."""


class AccessLogMiddleware:
    """Gives each request an id, and tells of it when it has ended. One that took `slow_seconds` is told as slow."""

    def __init__(self, app: ASGIApp, *, slow_seconds: float) -> None:
        self._app = app
        self._slow_seconds = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, with an answer of our own where that fails."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        notes = get_request_record(scope)
        is_http = scope["type"] == "http"
        send_noted = _recording_send(notes, send) if is_http else _recording_websocket_send(notes, send)
        before = current_record.set(notes)
        began_at = time.perf_counter()
        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if not is_http or notes.status:
                # Too late for an answer: the server breaks the connection off.
                raise
            await handle_unexpected_error(Request(scope), error)(scope, receive, send_noted)
        finally:
            if is_http or notes.status:
                log_request(notes, time.perf_counter() - began_at, self._slow_seconds, scope)
            current_record.reset(before)


class TracingMiddleware:
    """Has each request traced, around all else, where traces are wanted. On a WebSocket each operation is traced by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http" or spans.tracer is None:
            await self._app(scope, receive, send)
            return
        notes = get_request_record(scope)
        facts = {"http.request.method": scope["method"], "http.route": route_template(scope["path"])}
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
                span.set_attributes({name: value for name, value in found.items() if value})


def _recording_send(notes: RequestRecord, send: Send) -> Send:
    """Return what sends a response with the request's id, and notes its status."""
    header = (REQUEST_ID_HEADER, notes.request_id)

    # It is awaited at once. A coroutine around another would take as long again.
    def send_noted(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            # There is a status already where the connection has answered, as the request did not arrive.
            notes.status = notes.status or message["status"]
            message["headers"] = [*message.get("headers", ()), header]
        return send(message)

    return send_noted


def _recording_websocket_send(notes: RequestRecord, send: Send) -> Send:
    """Return the same for a WebSocket, whose status is that of a refusal; what goes on on an open one is told by itself."""
    header = (REQUEST_ID_HEADER, notes.request_id)
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


def log_request(notes: RequestRecord, seconds: float, slow_seconds: float, scope: Scope | None) -> None:
    """Count a request that has ended, and tell of it in the log. Of one that was no HTTP there is no scope."""
    record_request(notes, seconds)
    is_slow = seconds > slow_seconds and notes.kind != SUBSCRIPTION
    is_our_fault = notes.status == INTERNAL_SERVER_ERROR or "INTERNAL_ERROR" in notes.codes
    level = logging.WARNING if is_slow or is_our_fault else logging.INFO
    if log.isEnabledFor(level):
        if level == logging.INFO and scope is not None and scope["path"] in PROBES:
            level = logging.DEBUG
        event = "slow request" if is_slow else "failed request" if is_our_fault else "request"
        log.log(level, event, extra=log_fields(notes, seconds) | _transport_fields(scope))


def log_rejected_request(refusal: HttpError, headers: RawHeaders, seconds: float) -> bytes:
    """Tell of a request that is refused before the application knows of it; return its id."""
    notes = RequestRecord(request_id_from(headers))
    notes.status, notes.codes = refusal.status, (refusal.code,)
    # It may have taken long to arrive; that is no slowness of ours.
    log_request(notes, seconds, math.inf, None)
    return notes.request_id


def get_request_record(scope: Scope) -> RequestRecord:
    """Return the notes of a request, the same to whoever asks: the connection may have to answer instead of the application."""
    notes: RequestRecord | None = scope.get("notes")
    if notes is None:
        notes = scope["notes"] = RequestRecord(request_id_from(scope["headers"]), track_subscription)
    return notes


def request_id_from(headers: RawHeaders) -> bytes:
    """Return the id that the request came with, if it is one, or a new one."""
    for name, value in headers:
        if name == REQUEST_ID_HEADER and REQUEST_ID.fullmatch(value):
            return value
    return b"%016x" % random_bits(64)


def route_template(path: str) -> str:
    """Return which of our addresses was asked; the path itself may be anything."""
    known = ROUTES.get(path)
    return known or ("/batches/{id}/rejections.csv" if path.startswith("/batches/") else "none")


def _transport_fields(scope: Scope | None) -> dict[str, Any]:
    """Return how a request came."""
    if scope is None:
        return {}
    way = {"method": scope["method"]} if scope["type"] == "http" else {"transport": "websocket"}
    return way | {"route": route_template(scope["path"])}


def log_fields(notes: RequestRecord, seconds: float) -> dict[str, Any]:
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
def _tracing_operation(tracer: spans.Tracer, notes: RequestRecord | None) -> Iterator[None]:
    with tracer.request("WebSocket /graphql", (), {"network.protocol.name": "websocket"}) as span:
        if notes is not None:
            notes.trace_id = span.trace_id
        yield


@contextmanager
def logged_operation(slow_seconds: float) -> Iterator[None]:
    """Tell of the operation of a WebSocket whose task this is, or of a message that is refused, when it has ended."""
    notes = current_record.get()
    began_at = time.perf_counter()
    try:
        with spans.NO_SPAN if spans.tracer is None else _tracing_operation(spans.tracer, notes):
            yield
    finally:
        if notes is not None:
            log_request(notes, time.perf_counter() - began_at, slow_seconds, OPERATION)


@contextmanager
def track_subscription(notes: RequestRecord) -> Iterator[None]:
    """Tell that a subscription is open. That it has ended, and how long it lasted, is told by the line of its request."""
    if log.isEnabledFor(logging.INFO):
        log.info("subscription", extra=log_fields(notes, 0))
    SUBSCRIPTIONS.inc()
    try:
        yield
    finally:
        SUBSCRIPTIONS.dec()
