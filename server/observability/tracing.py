"""OpenTelemetry traces, sent to a collector as OTLP over HTTP.

The server imports this module only if tracing is enabled. The standard variables configure endpoint, sampling and service name:
`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME` and so on. Spans contain neither arguments nor
documents nor messages of exceptions.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    SpanKind,
    StatusCode,
    format_trace_id,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from telemetry import spans
from telemetry.spans import Attributes

STOP_SECONDS = 3.0
"""Time for a stopping server to send the remaining spans."""
MAX_LINKS = 20
STATUS, INTERNAL_SERVER_ERROR = "http.response.status_code", 500
CARRIED = {b"traceparent", b"tracestate"}
PROPAGATOR = TraceContextTextMapPropagator()


class RequestSpan:
    """Span of a request."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span
        self.trace_id = format_trace_id(span.get_span_context().trace_id)

    def set_attributes(self, attributes: Attributes) -> None:
        """Set the attributes; a 5xx status marks the span as failed."""
        self._span.set_attributes(attributes)
        if int(attributes.get(STATUS, 0)) >= INTERNAL_SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)


class OtelTracer:
    """OpenTelemetry implementation of the tracer protocol in `telemetry.spans`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("ratesgraph")

    @contextmanager
    def request(
        self, name: str, headers: Sequence[tuple[bytes, bytes]], attributes: Attributes
    ) -> Iterator[RequestSpan]:
        """Enter the span of a request, in the trace of its `traceparent` header (W3C Trace Context)."""
        carrier = {key.decode(): value.decode("latin-1") for key, value in headers if key in CARRIED}
        parent = PROPAGATOR.extract(carrier, context=Context())
        span = self._tracer.start_span(name, context=parent, kind=SpanKind.SERVER, attributes=attributes)
        with _use_span(span):
            yield RequestSpan(span)

    def span(
        self, name: str, attributes: Attributes | None = None, links: Sequence[object] | None = None
    ) -> AbstractContextManager[object]:
        """Enter a child span of the first link, with span links to the others.

        By default the current span is the parent. Work outside of requests is not traced.
        """
        candidates = dict.fromkeys([get_current_span()] if links is None else links)
        parents = [link for link in candidates if isinstance(link, OtelSpan) and link.get_span_context().is_valid]
        if not parents:
            return nullcontext()
        others = [Link(parent.get_span_context()) for parent in parents[1 : MAX_LINKS + 1]]
        kind = SpanKind.CLIENT if attributes and "db.system.name" in attributes else SpanKind.INTERNAL
        context = set_span_in_context(parents[0])
        span = self._tracer.start_span(name, context=context, kind=kind, attributes=attributes, links=others)
        return _use_span(span)

    def current(self) -> object:
        """Return the current span."""
        return get_current_span()


@contextmanager
def _use_span(span: OtelSpan) -> Iterator[None]:
    # Only the type of an exception is recorded; its message may quote data.
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


@asynccontextmanager
async def open_tracing() -> AsyncIterator[None]:
    """Enable tracing for the duration of the block; a background thread sends the spans."""
    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "ratesgraph")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    spans.tracer = OtelTracer(provider)
    try:
        yield
    finally:
        spans.tracer = None
        # An unreachable collector must not delay the shutdown of the server.
        shutdown = threading.Thread(target=provider.shutdown, daemon=True)
        shutdown.start()
        await asyncio.to_thread(shutdown.join, STOP_SECONDS)
