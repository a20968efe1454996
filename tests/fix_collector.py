"""A collector of traces on a loopback address, which takes OTLP over HTTP."""

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.streams import until


@dataclass(frozen=True)
class Collector:
    """The spans that have come."""

    url: str
    spans: list[Span]

    @property
    def settings(self) -> dict[str, str]:
        """What a server is told to send its spans here, soon."""
        return {
            "RATESGRAPH_TRACES": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def find(self, name: str) -> list[Span]:
        """Return the spans of this name."""
        return [span for span in self.spans if span.name == name]

    def wait_for(self, name: str, count: int = 1) -> list[Span]:
        """Wait for spans of a name, and return them."""
        until(lambda: len(self.find(name)) >= count, f"there are no {count} spans {name}")
        return self.find(name)

    def chain(self, span: Span) -> list[str]:
        """Return the name of the span and of those above it."""
        by_id = {other.span_id: other for other in self.spans}
        names = [span.name]
        while span.parent_span_id in by_id:
            span = by_id[span.parent_span_id]
            names.append(span.name)
        return names


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector."""
    spans: list[Span] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {entry.key: entry.value.string_value for entry in resource.resource.attributes}
                assert names["service.name"] == "ratesgraph"
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Collector(f"http://127.0.0.1:{server.server_port}", spans)
        server.shutdown()
        thread.join()
