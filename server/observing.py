"""What is told of each request when it has ended: one line in the log, and figures. A request has an id, and its answer has it.

The outermost of our middleware, so that whatever answers is seen, and a fault is answered here. What is told was noted on the
way (`resolvers.notes`).
"""

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db import spans
from resolvers.notes import SUBSCRIPTION, Notes, current
from server.errors import BadRequest, answer_failed
from server.metrics import SUBSCRIPTIONS, count

log = logging.getLogger("ratesgraph.requests")

HEADER = b"x-request-id"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
ROUTES = {"/": "/", "/graphql": "/graphql", "/livez": "/livez", "/readyz": "/readyz", "/metrics": "/metrics"}
PROBES = {"/livez", "/readyz", "/metrics"}
"""They are asked every few seconds, day and night."""
MAX_NAME = 100
OUR_FAULT, FORBIDDEN = 500, 403
RESPONSES = {"http.response.start", "websocket.http.response.start"}
WEBSOCKET = {"transport": "websocket"}
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
        header = (HEADER, notes.request_id.encode())
        is_open = False
        before = current.set(notes)

        async def send_with_id(message: Message) -> None:
            nonlocal is_open
            kind = message["type"]
            if kind in RESPONSES:
                # There is one already where the connection has answered, as the request did not arrive.
                notes.status = notes.status or message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            elif kind == "websocket.accept":
                is_open = True
                message["headers"] = [*message.get("headers", ()), header]
            elif kind == "websocket.close" and not is_open:
                notes.status = FORBIDDEN
            await send(message)

        began_at = time.perf_counter()
        try:
            with spans.NOTHING if spans.tracer is None else tracing_request(spans.tracer, scope, notes):
                try:
                    await self._app(scope, receive, send_with_id)
                except Exception as error:
                    if scope["type"] != "http" or notes.status:
                        # Too late for an answer: the server breaks the connection off.
                        raise
                    await answer_failed(Request(scope), error)(scope, receive, send_with_id)
        finally:
            if scope["type"] == "http" or notes.status:
                seconds = time.perf_counter() - began_at
                count(notes, seconds)
                self._tell(scope, notes, seconds)
            current.reset(before)

    def _tell(self, scope: Scope, notes: Notes, seconds: float) -> None:
        route = find_route(scope["path"])
        level, event = judge(notes, seconds, self._slow_seconds)
        if level == logging.INFO and route in PROBES:
            level = logging.DEBUG
        if log.isEnabledFor(level):
            way = {"method": scope["method"]} if scope["type"] == "http" else WEBSOCKET
            log.log(level, event, extra=describe(notes, seconds) | way | {"route": route})


def judge(notes: Notes, seconds: float, slow_seconds: float) -> tuple[int, str]:
    """Return on which level, and as what, it is told of a request, or of an operation on a WebSocket."""
    is_slow = seconds > slow_seconds and notes.kind != SUBSCRIPTION
    if notes.status == OUR_FAULT or is_slow or "INTERNAL_ERROR" in notes.codes:
        return logging.WARNING, "slow request" if is_slow else "failed request"
    return logging.INFO, "request"


def tell_of_refusal(refusal: BadRequest, headers: RawHeaders, seconds: float) -> bytes:
    """Tell of a request that is refused before the application knows of it; return its id."""
    request_id = find_id(headers)
    notes = Notes(request_id.decode(), status=refusal.status, codes=[refusal.code])
    count(notes, seconds)
    if log.isEnabledFor(logging.INFO):
        log.info("request", extra=describe(notes, seconds) | {"request_id": notes.request_id})
    return request_id


@contextmanager
def tracing_request(tracer: spans.Tracer, scope: Scope, notes: Notes) -> Iterator[None]:
    """Have the request traced inside of the block; on a WebSocket each operation is traced by itself."""
    if scope["type"] != "http":
        yield
        return
    facts = {"http.request.method": scope["method"], "http.route": find_route(scope["path"])}
    with tracer.request(" ".join(facts.values()), scope["headers"], facts) as span:
        notes.trace_id = span.trace_id
        try:
            yield
        finally:
            found: dict[str, str | int] = {
                "http.response.status_code": notes.status,
                "ratesgraph.request_id": notes.request_id,
                "ratesgraph.cache": notes.cache,
                "error.type": notes.codes[0] if notes.codes else "",
            }
            span.describe({name: value for name, value in found.items() if value})


def take_notes(scope: Scope) -> Notes:
    """Return the notes of a request, the same to whoever asks: the connection may have to answer instead of the application."""
    notes: Notes | None = scope.get("notes")
    if notes is None:
        notes = scope["notes"] = Notes(find_id(scope["headers"]).decode(), watch=watch)
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


def describe(notes: Notes, seconds: float) -> dict[str, object]:
    """Return what a line tells of a request, or of an operation on a WebSocket."""
    told = {
        "kind": notes.kind,
        "operation": notes.operation and notes.operation[:MAX_NAME],
        "caller": notes.caller,
        "status": notes.status,
        "codes": notes.codes,
        "duration_ms": round(seconds * 1_000, 2),
        "rows": notes.rows,
        "cache": notes.cache,
    }
    return {name: value for name, value in told.items() if value or (value == 0 and name == "rows")}


@contextmanager
def tracing_operation(tracer: spans.Tracer, notes: Notes | None) -> Iterator[None]:
    """Have an operation on a WebSocket traced inside of the block."""
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
        with spans.NOTHING if spans.tracer is None else tracing_operation(spans.tracer, notes):
            yield
    finally:
        if notes is not None:
            seconds = time.perf_counter() - began_at
            count(notes, seconds)
            level, event = judge(notes, seconds, slow_seconds)
            if log.isEnabledFor(level):
                log.log(level, event, extra=describe(notes, seconds) | WEBSOCKET)


@contextmanager
def watch(notes: Notes) -> Iterator[None]:
    """Tell that a subscription is open. That it has ended, and how long it lasted, is told by the line of its request."""
    if log.isEnabledFor(logging.INFO):
        log.info("subscription", extra=describe(notes, 0) | {"request_id": notes.request_id})
    SUBSCRIPTIONS.inc()
    try:
        yield
    finally:
        SUBSCRIPTIONS.dec()
