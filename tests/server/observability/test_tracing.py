"""Traces over real processes: span hierarchy, excluded data, and required packages."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from telemetry import spans
from tests.support.commands.processes import environment
from tests.support.fixtures.collector import Collector
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.streams import open_socket, operation_results, subscribe
from tests.support.tokens import create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

SECRET = "CNSGH"  # noqa: S105
AVERAGES = """
query Week($place: String!) {
  averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-07", origin: $place, destination: $place) { averagePrice }
}
"""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def port(database_url: str) -> None:
    """Insert a port."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO locations (kind, key, name, search_text) VALUES ('PORT', 'CNSGH', 'Shanghai', '')"
        )


def send_query(url: str, query: str, **headers: str) -> httpx.Response:
    """Send a query about the port and return the response."""
    body = {"query": query, "variables": {"place": SECRET}}
    return httpx.post(f"{url}/graphql", json=body, headers=headers, timeout=DEADLINE_SECONDS)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_trace_nests_statement_load_operation_and_request_spans(
    database_url: str, collector: Collector, workers: str
) -> None:
    with serving(database_url, "--workers", workers, settings=collector.settings) as (_, url):
        wait_until_answered(url)
        answer = send_query(url, AVERAGES, traceparent=f"00-{TRACE}-{PARENT}-01")
        assert answer.json()["data"]["averagePrices"][0] == {"averagePrice": None}
        [request] = [span for span in collector.wait_for("POST /graphql") if span.trace_id.hex() == TRACE]
        assert request.parent_span_id.hex() == PARENT
        [totals] = collector.wait_for("totals.select_day_totals")
        assert collector.ancestor_names(totals) == ["totals.select_day_totals", "load totals", "query", "POST /graphql"]
        [places] = collector.wait_for("locations.find_locations")
        assert collector.ancestor_names(places) == ["locations.find_locations", "load by key", "query", "POST /graphql"]
        [operation] = collector.find("query")
        facts = {entry.key: entry.value.string_value for entry in operation.attributes}
        assert facts == {"graphql.operation.type": "query", "graphql.operation.name": "Week"}
        facts = {entry.key: entry.value.string_value for entry in request.attributes}
        assert facts["ratesgraph.request_id"] == answer.headers["x-request-id"]
        # Spans contain no argument and no document text.
        assert SECRET not in repr(collector.spans)
        assert "averagePrices" not in repr(collector.spans)


def test_trace_of_a_coalesced_load_links_all_requesting_operations(database_url: str, collector: Collector) -> None:
    with serving(database_url, settings=collector.settings | {"RATESGRAPH_CACHE_BYTES": "0"}) as (_, url):
        wait_until_answered(url)
        send_query(url, AVERAGES)
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(lambda _: send_query(url, AVERAGES), range(60)))
        collector.wait_for("POST /graphql", 61)
        requests = {span.span_id for span in collector.find("query")}
        loads = collector.find("load totals")
        causes = [cause for load in loads for cause in (load.parent_span_id, *(link.span_id for link in load.links))]
        eventually(lambda: len(collector.find("query")) == 61, "an operation has no span")
        # Every operation is the cause of exactly one load.
        assert sorted(causes) == sorted(requests)
        for statement in collector.find("totals.select_day_totals"):
            assert collector.ancestor_names(statement)[1:] == ["load totals", "query", "POST /graphql"]


def test_trace_spans_record_error_types_without_messages(database_url: str, collector: Collector) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE price_totals RENAME TO gone")
    with serving(database_url, settings=collector.settings) as (_, url):
        send_query(url, AVERAGES)
        [request] = collector.wait_for("POST /graphql")
        [load] = collector.find("load totals")
        errors = [
            {entry.key: entry.value.string_value for entry in span.attributes}["error.type"] for span in (load, request)
        ]
        assert errors == ["MigrationNeeded", "DATABASE_UNAVAILABLE"]
        assert not [span for span in collector.spans if span.events or span.status.message]


def test_trace_covers_websocket_operations(database_url: str, collector: Collector) -> None:
    token = create_api_token(database_url, "read")
    with serving(database_url, settings=collector.settings) as (_, url), open_socket(url, token) as socket:
        subscribe(socket, AVERAGES, {"place": SECRET})
        assert next(operation_results(socket))["data"]
        [totals] = collector.wait_for("totals.select_day_totals")
        collector.wait_for("WebSocket /graphql")
        assert collector.ancestor_names(totals)[-1] == "WebSocket /graphql"


def test_trace_contains_no_spans_outside_requests(database_url: str, collector: Collector) -> None:
    with serving(database_url, settings=collector.settings) as (process, url):
        wait_until_answered(url)
        collector.wait_for("GET /readyz")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=DEADLINE_SECONDS)
    assert {collector.ancestor_names(span)[-1] for span in collector.spans} == {"GET /readyz"}


def test_unreachable_trace_collector_does_not_block_requests_or_shutdown(database_url: str) -> None:
    settings = {"RATESGRAPH_TRACES": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with serving(database_url, settings=settings) as (process, url):
        assert send_query(url, AVERAGES).status_code == 200
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=DEADLINE_SECONDS)
        assert time.monotonic() - started < 60


def test_trace_setting_without_packages_fails_startup_with_an_install_hint(database_url: str) -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; from server.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", "--port", "0"],
        env={**environment(database_url), "RATESGRAPH_TRACES": "true", "RATESGRAPH_LOG_FORMAT": "console"},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "RATESGRAPH_TRACES requires the `tracing` extra: pip install 'ratesgraph[tracing]'."
    ]


def test_trace_packages_are_not_imported_when_tracing_is_disabled() -> None:
    assert spans.tracer is None
    code = "import sys, server.app, server.cli.commands.serve; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
