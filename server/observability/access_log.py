"""Access logging: one log line and one set of metrics per finished request, and request IDs.

This middleware is the outermost except for tracing. It therefore sees every response, and it responds to unexpected errors. The
logged fields were recorded while the request was processed (`telemetry.request_record`).
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
PAGES = {"/", "/uploads", "/locations", "/status"}
ROUTES = {path: path for path in (*PAGES, "/graphql", "/livez", "/readyz", "/metrics")}
PREFIXES = {"/batches/": "/batches/{id}/rejections.csv", "/assets/": "/assets/{name}"}
PROBES = {"/livez", "/readyz", "/metrics"}
"""Endpoints that monitoring polls every few seconds; they are logged on level `debug`."""
MAX_NAME = 100
INTERNAL_SERVER_ERROR, FORBIDDEN = 500, 403
OPERATION: Scope = {"type": "websocket", "path": "/graphql"}
"""Scope under which an operation on a WebSocket is logged, as if it were a request."""
RawHeaders = Sequence[tuple[bytes, bytes]]
random_bits = Random().getrandbits  # noqa: S311
"""Request IDs need to be distinct, not secret: this costs a tenth of a UUID."""


class AccessLogMiddleware:
    """Middleware that assigns request IDs and logs each request when it ends.

    Requests slower than `slow_seconds` are logged as slow.
    """

    def __init__(self, app: ASGIApp, *, slow_seconds: float) -> None:
        self._app = app
        self._slow_seconds = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process the request; respond with a 500 if the application raises."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        record = get_request_record(scope)
        is_http = scope["type"] == "http"
        send_recorded = _recording_send(record, send) if is_http else _recording_websocket_send(record, send)
        token = current_record.set(record)
        started_at = time.perf_counter()
        try:
            await self._app(scope, receive, send_recorded)
        except Exception as error:
            if not is_http or record.status:
                # The response has started: the HTTP server closes the connection.
                raise
            await handle_unexpected_error(Request(scope), error)(scope, receive, send_recorded)
        finally:
            if is_http or record.status:
                log_request(record, time.perf_counter() - started_at, self._slow_seconds, scope)
            current_record.reset(token)


class TracingMiddleware:
    """Outermost middleware: one span per HTTP request, if tracing is enabled.

    On a WebSocket each operation has its own span.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process the request inside a span."""
        if scope["type"] != "http" or spans.tracer is None:
            await self._app(scope, receive, send)
            return
        record = get_request_record(scope)
        attributes = {"http.request.method": scope["method"], "http.route": route_template(scope["path"])}
        with spans.tracer.request(" ".join(attributes.values()), scope["headers"], attributes) as span:
            record.trace_id = span.trace_id
            try:
                await self._app(scope, receive, send)
            finally:
                results: dict[str, str | int] = {
                    "http.response.status_code": record.status,
                    "ratesgraph.request_id": record.request_id.decode(),
                    "ratesgraph.cache": record.cache,
                    "error.type": record.codes[0] if record.codes else "",
                }
                span.set_attributes({name: value for name, value in results.items() if value})


def _recording_send(record: RequestRecord, send: Send) -> Send:
    """Return a `send` that adds the request ID to the response and records its status."""
    header = (REQUEST_ID_HEADER, record.request_id)

    # Returns the inner awaitable: a coroutine around another would double the cost.
    def send_recorded(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            # The protocol has set a status if it responded itself, for example after a request timeout.
            record.status = record.status or message["status"]
            message["headers"] = [*message.get("headers", ()), header]
        return send(message)

    return send_recorded


def _recording_websocket_send(record: RequestRecord, send: Send) -> Send:
    """Return a WebSocket `send` that adds the request ID and records a rejection's status.

    Operations on an open WebSocket are logged separately.
    """
    header = (REQUEST_ID_HEADER, record.request_id)
    is_open = False

    async def send_recorded(message: Message) -> None:
        nonlocal is_open
        kind = message["type"]
        if kind == "websocket.accept":
            is_open = True
        elif kind == "websocket.http.response.start":
            record.status = record.status or message["status"]
        elif kind == "websocket.close" and not is_open:
            record.status = FORBIDDEN
        if kind in {"websocket.accept", "websocket.http.response.start"}:
            message["headers"] = [*message.get("headers", ()), header]
        await send(message)

    return send_recorded


def log_request(record: RequestRecord, seconds: float, slow_seconds: float, scope: Scope | None) -> None:
    """Count and log a finished request; `scope` is None if the protocol rejected it."""
    record_request(record, seconds)
    is_slow = seconds > slow_seconds and record.kind != SUBSCRIPTION
    is_internal_error = record.status == INTERNAL_SERVER_ERROR or "INTERNAL_ERROR" in record.codes
    level = logging.WARNING if is_slow or is_internal_error else logging.INFO
    if log.isEnabledFor(level):
        if level == logging.INFO and scope is not None and scope["path"] in PROBES:
            level = logging.DEBUG
        event = "slow request" if is_slow else "failed request" if is_internal_error else "request"
        log.log(level, event, extra=log_fields(record, seconds) | _transport_fields(scope))


def log_rejected_request(error: HttpError, headers: RawHeaders, seconds: float) -> bytes:
    """Log a request that the protocol rejected before the application saw it; return its ID."""
    record = RequestRecord(request_id_from(headers))
    record.status, record.codes = error.status, (error.code,)
    # A slow arrival is not a slow request, hence no threshold.
    log_request(record, seconds, math.inf, None)
    return record.request_id


def get_request_record(scope: Scope) -> RequestRecord:
    """Return the request's record, creating it on first use.

    The protocol and the application share it because the protocol may have to send the response itself.
    """
    record: RequestRecord | None = scope.get("request_record")
    if record is None:
        record = scope["request_record"] = RequestRecord(request_id_from(scope["headers"]), track_subscription)
    return record


def request_id_from(headers: RawHeaders) -> bytes:
    """Return the X-Request-Id of the request if it is valid, otherwise a new ID."""
    for name, value in headers:
        if name == REQUEST_ID_HEADER and REQUEST_ID.fullmatch(value):
            return value
    return b"%016x" % random_bits(64)


def route_template(path: str) -> str:
    """Return the route template for a path, which may be any text; `none` for an unknown path."""
    route = ROUTES.get(path)
    return route or next((template for start, template in PREFIXES.items() if path.startswith(start)), "none")


def _transport_fields(scope: Scope | None) -> dict[str, Any]:
    """Return the log fields for transport and route."""
    if scope is None:
        return {}
    transport = {"method": scope["method"]} if scope["type"] == "http" else {"transport": "websocket"}
    return transport | {"route": route_template(scope["path"])}


def log_fields(record: RequestRecord, seconds: float) -> dict[str, Any]:
    """Return the log fields of a request or of an operation on a WebSocket, without empty ones."""
    fields = {
        "request_id": record.request_id.decode(),
        "kind": record.kind,
        "operation": record.operation and record.operation[:MAX_NAME],
        "caller": record.caller,
        "status": record.status,
        "codes": list(record.codes),
        "duration_ms": round(seconds * 1_000, 2),
        "rows": record.rows,
        "cache": record.cache,
    }
    return {name: value for name, value in fields.items() if value or (value == 0 and name == "rows")}


@contextmanager
def _tracing_operation(tracer: spans.Tracer, record: RequestRecord | None) -> Iterator[None]:
    with tracer.request("WebSocket /graphql", (), {"network.protocol.name": "websocket"}) as span:
        if record is not None:
            record.trace_id = span.trace_id
        yield


@contextmanager
def logged_operation(slow_seconds: float) -> Iterator[None]:
    """Log the WebSocket operation of this task, or a rejected message, when the block ends."""
    record = current_record.get()
    started_at = time.perf_counter()
    try:
        with spans.NO_SPAN if spans.tracer is None else _tracing_operation(spans.tracer, record):
            yield
    finally:
        if record is not None:
            log_request(record, time.perf_counter() - started_at, slow_seconds, OPERATION)


@contextmanager
def track_subscription(record: RequestRecord) -> Iterator[None]:
    """Log the start of a subscription and count it as open for the duration of the block.

    The log line of its request states its end and its duration.
    """
    if log.isEnabledFor(logging.INFO):
        log.info("subscription", extra=log_fields(record, 0))
    SUBSCRIPTIONS.inc()
    try:
        yield
    finally:
        SUBSCRIPTIONS.dec()
